from typing import Any

from shared.contracts.envelope import decode
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Address
from shared.contracts.submission import InDoubt, SendMessage
from tests.api.conftest import Api, Person
from tests.api.mail import Ground


def path_of(ground: Ground) -> str:
    return f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}/identities"


async def sender_of(api: Api, ada: Person, ground: Ground, **more: Any) -> SendMessage:
    letter = {
        "account_id": shown(Kind.ACCOUNT, ground.account_id),
        "to": ["grace@example.org"],
        "text": "Hello",
        **more,
    }
    answer = await ada.http.post("/submissions", json=letter)
    assert answer.status_code == 202, answer.text
    *_, row = await api.rows("outbox", "position")
    return decode(row["body"], SendMessage)


async def test_an_account_is_written_from_by_its_own_address_until_another_is_the_default(
    api: Api, ada: Person, ground: Ground
) -> None:
    [own] = await ada.items(path_of(ground))
    assert (own["name"], own["email"], own["is_default"], own["is_own"]) == (
        "Ada",
        "ada@example.org",
        True,
        True,
    )
    answer = await ada.http.post(
        path_of(ground),
        json={
            "name": "Ada at work",
            "email": "ada@Work.example",
            "reply_to": ["office@work.example"],
            "signature_text": "Ada",
            "signature_html": "<b>Ada</b>",
            "is_default": True,
        },
    )
    assert answer.status_code == 201, answer.text
    work = answer.json()
    assert answer.headers["location"].endswith(work["id"])
    found = await ada.items(path_of(ground))
    assert [(one["email"], one["is_default"]) for one in found] == [
        ("ada@example.org", False),
        ("ada@work.example", True),
    ]

    by_default = await sender_of(api, ada, ground, html="<p>Hello</p>", signature=True)
    assert by_default.sender == Address("Ada at work", "ada@work.example")
    assert by_default.reply_to == (Address("", "office@work.example"),)
    assert by_default.text == "Hello\n\n-- \nAda\n"
    assert by_default.html == "<p>Hello</p><div>-- <br><b>Ada</b></div>"
    by_id = await sender_of(api, ada, ground, identity_id=own["id"])
    assert by_id.sender == Address("Ada", "ada@example.org")
    by_address = await sender_of(api, ada, ground, **{"from": "Countess <ADA@example.org>"})
    assert by_address.sender == Address("Countess", "ADA@example.org")

    answer = await ada.http.patch(f"{path_of(ground)}/{own['id']}", json={"is_default": True})
    assert answer.status_code == 200
    assert [one["is_default"] for one in await ada.items(path_of(ground))] == [True, False]


async def test_an_own_identity_is_changed_but_stays(api: Api, ada: Person, ground: Ground) -> None:
    [own] = await ada.items(path_of(ground))
    place = f"{path_of(ground)}/{own['id']}"
    answer = await ada.http.patch(place, json={"signature_text": "A."})
    assert answer.json()["signature_text"] == "A."
    account = f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"
    await ada.http.patch(account, json={"name": "Ada L."})
    assert [one["name"] for one in await ada.items(path_of(ground))] == ["Ada L."]
    for answer in (
        await ada.http.delete(place),
        await ada.http.patch(place, json={"email": "x@example.org"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "identity_fixed")


async def test_an_address_is_one_identity_of_an_account(ada: Person, ground: Ground) -> None:
    work = {"email": "ada@work.example"}
    made = (await ada.http.post(path_of(ground), json=work)).json()
    for answer in (
        await ada.http.post(path_of(ground), json={"email": "ADA@work.example"}),
        await ada.http.post(path_of(ground), json={"email": "ada@example.org"}),
        await ada.http.patch(f"{path_of(ground)}/{made['id']}", json={"email": "ada@example.org"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "identity_taken")
    assert (await ada.http.delete(f"{path_of(ground)}/{made['id']}")).status_code == 204
    assert len(await ada.items(path_of(ground))) == 1
    assert (await ada.http.post(path_of(ground), json=work)).status_code == 201


async def test_an_account_may_allow_any_sender(api: Api, ada: Person, ground: Ground) -> None:
    account = f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"
    answer = await ada.http.patch(account, json={"any_sender": True})
    assert answer.json()["any_sender"]
    command = await sender_of(api, ada, ground, **{"from": "Shop <shop@example.net>"})
    assert command.sender == Address("Shop", "shop@example.net")


async def test_what_is_done_in_doubt_is_the_accounts_affair_and_each_messages(
    api: Api, ada: Person, ground: Ground
) -> None:
    account = f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"
    assert (await ada.http.get(account)).json()["in_doubt"] == "hold"
    assert (await sender_of(api, ada, ground)).in_doubt is InDoubt.HOLD
    answer = await ada.http.patch(account, json={"in_doubt": "retry"})
    assert answer.json()["in_doubt"] == "retry"
    assert (await sender_of(api, ada, ground)).in_doubt is InDoubt.RETRY
    assert (await sender_of(api, ada, ground, in_doubt="hold")).in_doubt is InDoubt.HOLD
    refused = await ada.http.patch(account, json={"in_doubt": "guess"})
    assert refused.status_code == 422


async def test_identities_are_their_tenants(api: Api, ada: Person, ground: Ground) -> None:
    await ada.http.post(path_of(ground), json={"email": "ada@work.example"})
    async with api.person() as eve:
        hers = await eve.connects()
        [own] = await eve.items(path_of(hers))
        for answer in (
            await eve.http.get(path_of(ground)),
            await eve.http.post(path_of(ground), json={"email": "eve@example.net"}),
            await ada.http.delete(f"{path_of(ground)}/{own['id']}"),
        ):
            assert answer.status_code == 404
