"""Where somebody is signed in: a browser's cookie, a list of sessions, a new password."""

from typing import Any

import httpx
import pytest

from services.api.domain.tokens import secret_hash
from tests.api.conftest import PASSWORD, Api, Person

OURS = {"Sec-Fetch-Site": "same-origin"}


async def sign_in(client: httpx.AsyncClient, email: str, **more: Any) -> httpx.Response:
    return await client.post("/auth/session", json={"email": email, "password": PASSWORD}, **more)


async def test_a_browser_is_signed_in_by_a_cookie_that_no_page_can_read(
    api: Api, ada: Person
) -> None:
    async with api.client() as browser:
        answer = await sign_in(browser, ada.email, headers=OURS)
        assert answer.status_code == 200, answer.text
        assert answer.json()["user"]["email"] == ada.email
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert "Path=/;" in cookie
        assert "Secure" not in cookie, "http on this machine"
        secret = browser.cookies["postbus"]
        assert secret not in answer.text
        assert (await browser.get("/me")).json()["email"] == ada.email
        kept = [row["cookie_hash"] for row in await api.rows("session", "created_at")]
        assert secret_hash(secret) in kept

        assert (await browser.post("/auth/logout", headers=OURS)).status_code == 204
        assert "postbus" not in browser.cookies
        browser.cookies.set("postbus", secret)
        assert (await browser.get("/me")).status_code == 401


async def test_a_cookie_of_any_other_host_goes_over_tls_only(api: Api, ada: Person) -> None:
    async with api.client(Host="mail.example.org") as browser:
        answer = await sign_in(browser, ada.email, headers=OURS)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-postbus=")
        assert "Secure" in cookie
        assert "domain" not in cookie.lower()
        name, _, secret = cookie.partition(";")[0].partition("=")
        assert (await browser.get("/me", headers={"Cookie": f"{name}={secret}"})).status_code == 200
        bare = await browser.get("/me", headers={"Cookie": f"postbus={secret}"})
        assert bare.status_code == 401, "a name that any site beside could have set"


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:{port}"}, False),
        ({"Origin": "http://127.0.0.1:{port}"}, True),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
        ({}, False),
    ],
    ids=str,
)
async def test_what_a_cookie_changes_comes_from_a_page_of_this_server(
    api: Api, ada: Person, headers: dict[str, str], let_in: bool
) -> None:
    sent = {name: value.format(port=api.port) for name, value in headers.items()}
    async with api.client() as browser:
        answer = await sign_in(browser, ada.email, headers=OURS)
        browser.headers.update(sent)
        changed = await browser.post("/tokens", json={"name": "x", "scopes": ["mail:read"]})
        assert (changed.status_code == 201) is let_in, changed.text
        if not let_in:
            assert changed.json()["code"] == "foreign_origin"
        assert (await browser.get("/me")).status_code == 200, "reading changes nothing"
        # Nor does another site sign somebody in as somebody else.
        assert ((await sign_in(browser, ada.email)).status_code == 200) is let_in
        assert answer.status_code == 200


async def test_a_token_needs_no_page(api: Api, ada: Person) -> None:
    answer = await ada.http.post(
        "/tokens",
        json={"name": "x", "scopes": ["mail:read"]},
        headers={"Sec-Fetch-Site": "cross-site", "Cookie": "postbus=x"},
    )
    assert answer.status_code == 201


async def test_a_session_in_a_cookie_lives_on_by_being_used(api: Api, ada: Person) -> None:
    async with api.client() as browser:
        await sign_in(browser, ada.email, headers=OURS)
        await api.admin.execute(
            """
            UPDATE api.session SET used_at = now() - interval '2 minutes',
                   expires_at = now() + interval '1 minute'
             WHERE cookie_hash IS NOT NULL
            """
        )
        assert (await browser.get("/me")).status_code == 200
        left = await api.admin.fetchval(
            "SELECT expires_at - now() FROM api.session WHERE cookie_hash IS NOT NULL"
        )
        assert left.days >= 29
        await api.admin.execute("UPDATE api.session SET expires_at = now()")
        assert (await browser.get("/me")).status_code == 401


async def test_sessions_are_listed_and_ended_one_by_one(api: Api, ada: Person) -> None:
    async with api.client(**{"User-Agent": "Phone/1.0"}) as phone:
        await sign_in(phone, ada.email, headers=OURS)
        sessions = await ada.items("/me/sessions")
        assert {session["client"] for session in sessions} >= {"Phone/1.0"}
        assert [session["current"] for session in sessions].count(True) == 1
        (other,) = [session for session in sessions if not session["current"]]
        assert other["address"] == "127.0.0.1"

        async with api.person() as eve:
            assert (await eve.http.delete(f"/me/sessions/{other['id']}")).status_code == 404
        assert (await ada.http.delete(f"/me/sessions/{other['id']}")).status_code == 204
        assert (await phone.get("/me")).status_code == 401
    assert len(await ada.items("/me/sessions")) == 1
    assert (await ada.http.delete(f"/me/sessions/{other['id']}")).status_code == 404


async def test_signing_out_everywhere_leaves_no_session(api: Api, ada: Person) -> None:
    async with api.client() as browser:
        await sign_in(browser, ada.email, headers=OURS)
        assert (await ada.http.post("/auth/logout-everywhere")).status_code == 204
        assert (await browser.get("/me")).status_code == 401
        assert (await ada.http.get("/me")).status_code == 401
        renewed = await browser.post(
            "/auth/refresh", json={"refresh_token": ada.tokens["refresh_token"]}
        )
        assert renewed.status_code == 401


async def test_a_new_password_ends_every_other_session(api: Api, ada: Person) -> None:
    async with api.client() as browser:
        await sign_in(browser, ada.email, headers=OURS)
        change = {"current_password": PASSWORD, "new_password": "staple of another kind"}
        wrong = await ada.http.post("/me/password", json=change | {"current_password": "wrong"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "password_wrong")
        assert (await browser.get("/me")).status_code == 200

        assert (await ada.http.post("/me/password", json=change)).status_code == 204
        assert (await browser.get("/me")).status_code == 401
        assert (await ada.http.get("/me")).status_code == 200
        assert (await sign_in(browser, ada.email, headers=OURS)).status_code == 401
        new = {"email": ada.email, "password": change["new_password"]}
        assert (await browser.post("/auth/login", json=new)).status_code == 200


async def test_a_new_password_ends_api_tokens_where_that_is_wanted(api: Api, ada: Person) -> None:
    async def works(token: str) -> bool:
        async with api.client() as program:
            bearer = {"Authorization": f"Bearer {token}"}
            return (await program.get("/me", headers=bearer)).status_code == 200

    asked = {"name": "Backup", "scopes": ["mail:read"]}
    token = (await ada.http.post("/tokens", json=asked)).json()["secret"]
    second, third = "staple of another kind", "yet another one"
    change = {"current_password": PASSWORD, "new_password": second}
    assert (await ada.http.post("/me/password", json=change)).status_code == 204
    assert await works(token), "programs go on where nobody says otherwise"
    change = {"current_password": second, "new_password": third, "end_api_tokens": True}
    assert (await ada.http.post("/me/password", json=change)).status_code == 204
    assert not await works(token)
    assert (await ada.http.get("/tokens")).json()["items"] == []


async def test_people_say_what_they_are_called(api: Api, ada: Person) -> None:
    changed = await ada.http.patch("/me", json={"name": "  Ada King "})
    assert (changed.status_code, changed.json()["name"]) == (200, "Ada King")
    assert (await ada.http.get("/me")).json()["name"] == "Ada King"
    for wrong in ({}, {"name": "a\nb"}, {"name": "x" * 201}, {"email": "x@example.org"}):
        assert (await ada.http.patch("/me", json=wrong)).status_code == 422
    async with api.person() as eve:
        assert (await eve.http.get("/me")).json()["name"] != "Ada King"


async def test_who_has_found_an_open_session_guesses_no_faster(api: Api, ada: Person) -> None:
    guesses = [
        await ada.http.post(
            "/me/password",
            json={"current_password": f"guess {n}", "new_password": "long enough"},
        )
        for n in range(12)
    ]
    assert guesses[0].status_code == 422
    assert guesses[-1].status_code == 429
