"""What Postbus itself writes to people, and what its links do."""

import re
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiosmtpd.controller import Controller
from pydantic import SecretStr, ValidationError

from infra.dev.process import free_port
from services.api.actions.send_system_mail import send_system_mail
from services.api.domain.letters import Letter, written
from services.api.settings import Settings
from tests.api.conftest import PASSWORD, Api, running_api
from tests.platform import Platform

NEW = "staple of another kind"


class Letters:
    """A mail server that takes what comes, or will not."""

    def __init__(self) -> None:
        self.came: list[EmailMessage] = []
        self.willing = True

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if not self.willing:
            return "451 4.3.0 Not now"
        self.came.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        return "250 OK"

    def secret(self) -> str:
        found = re.search(r"https://mail\.example\.org/\w+#(\S+)", self.came[-1].get_content())
        assert found, self.came[-1].get_content()
        return found[1]


@pytest.fixture
def letters() -> Iterator[tuple[Letters, int]]:
    handler, port = Letters(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield handler, port
    finally:
        controller.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def mailing(
    platform: Platform, seal_directory: Path, letters: tuple[Letters, int]
) -> AsyncIterator[Api]:
    async with running_api(
        platform,
        seal_directory,
        system_smtp_host="127.0.0.1",
        system_smtp_port=letters[1],
        system_smtp_security="none",
        system_mail_from="postbus@example.org",
        public_url="https://mail.example.org",
    ) as api:
        yield api


async def sends(api: Api) -> None:
    server = api.world.settings.system_server
    assert server
    while await send_system_mail(api.world.pool, server, api.world.settings.link):
        pass


async def test_who_registers_shows_that_the_address_is_theirs(
    mailing: Api, letters: tuple[Letters, int]
) -> None:
    box, _ = letters
    async with mailing.person() as ada:
        await sends(mailing)
        (letter,) = box.came
        assert letter["To"] == ada.email
        assert letter["From"].addresses[0].addr_spec == "postbus@example.org"
        assert letter["Auto-Submitted"] == "auto-generated"
        assert not (await ada.http.get("/me")).json()["email_verified"]
        secret = box.secret()
        kept = str(await mailing.rows("mailed_secret", "expires_at"))
        assert secret not in kept
        for status in (204, 410):
            answer = await ada.http.post("/auth/verify-email", json={"token": secret})
            assert answer.status_code == status
        assert (await ada.http.get("/me")).json()["email_verified"]
        await sends(mailing)
        assert len(box.came) == 1


async def test_a_forgotten_password_is_replaced_by_who_reads_the_mail(
    mailing: Api, letters: tuple[Letters, int]
) -> None:
    box, _ = letters
    async with mailing.person() as ada:
        await sends(mailing)
        verification = box.secret()
        answers = [
            await ada.http.post("/auth/forgot-password", json={"email": email})
            for email in (ada.email.upper(), "nobody@example.org", "nonsense")
        ]
        assert {(answer.status_code, answer.text) for answer in answers} == {
            (answers[0].status_code, answers[0].text)
        }
        assert answers[0].status_code == 202
        await sends(mailing)
        assert [letter["To"] for letter in box.came[1:]] == [ada.email]
        secret = box.secret()
        for wrong in (verification, "pbl_nonsense"):
            refused = await ada.http.post(
                "/auth/reset-password", json={"token": wrong, "password": NEW}
            )
            assert (refused.status_code, refused.json()["code"]) == (410, "link_invalid")
        answer = await ada.http.post(
            "/auth/reset-password", json={"token": secret, "password": NEW}
        )
        assert answer.status_code == 204
        assert (await ada.http.get("/me")).status_code == 401, "every session has ended"
        again = await ada.http.post("/auth/reset-password", json={"token": secret, "password": NEW})
        assert again.status_code == 410
        for password, status in ((PASSWORD, 401), (NEW, 200)):
            login = {"email": ada.email, "password": password}
            assert (await ada.http.post("/auth/login", json=login)).status_code == status


@pytest.mark.parametrize("ends", [False, True])
async def test_a_forgotten_password_ends_api_tokens_where_that_is_wanted(
    mailing: Api, letters: tuple[Letters, int], ends: bool
) -> None:
    box, _ = letters
    async with mailing.person() as ada:
        made = await ada.http.post("/tokens", json={"name": "x", "scopes": ["mail:read"]})
        await ada.http.post("/auth/forgot-password", json={"email": ada.email})
        await sends(mailing)
        change = {"token": box.secret(), "password": NEW} | (
            {"end_api_tokens": True} if ends else {}
        )
        answer = await ada.http.post("/auth/reset-password", json=change)
        assert answer.status_code == 204, answer.text
        async with mailing.client(Authorization=f"Bearer {made.json()['secret']}") as program:
            status = (await program.get("/accounts")).status_code
        assert status == (401 if ends else 200)


async def test_an_invitation_is_mailed_and_its_link_is_nowhere_else(
    mailing: Api, letters: tuple[Letters, int]
) -> None:
    box, _ = letters
    async with mailing.person() as ada:
        made = await ada.http.post("/invitations", json={"email": "grace@example.org"})
        assert made.json()["token"] is None
        assert made.json()["link"] is None
        await sends(mailing)
        assert box.came[-1]["To"] == "grace@example.org"
        assert "“Ada”" in box.came[-1].get_content()
        answer = await ada.http.post(
            "/auth/accept-invitation", json={"token": box.secret(), "password": PASSWORD}
        )
        assert answer.status_code == 200
        assert len(await ada.items("/members")) == 2


async def test_what_the_server_does_not_take_is_sent_later(
    mailing: Api, letters: tuple[Letters, int]
) -> None:
    box, _ = letters
    box.willing = False
    async with mailing.person() as ada:
        await sends(mailing)
        assert box.came == []
        (row,) = await mailing.rows("system_mail", "mail_id")
        assert row["attempts"] == 1
        box.willing = True
        await mailing.admin.execute("UPDATE api.system_mail SET due_at = now()")
        await sends(mailing)
        answer = await ada.http.post("/auth/verify-email", json={"token": box.secret()})
        assert answer.status_code == 204
    assert await mailing.rows("system_mail", "mail_id") == []


async def signs_in(api: Api, email: str, *, path: str, address: str) -> None:
    async with api.client(
        **{"X-Forwarded-For": address, "User-Agent": "Mail/1 {link}\tX"}
    ) as client:
        answer = await client.post(
            path,
            json={"email": email, "password": PASSWORD},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["/auth/login", "/auth/session"])
async def test_somebody_hears_of_a_sign_in_from_where_they_never_were(
    mailing: Api, letters: tuple[Letters, int], path: str
) -> None:
    box, _ = letters
    async with mailing.person() as ada:
        await sends(mailing)
        box.came.clear()
        for address in ("127.0.0.7", "203.0.113.9", "203.0.113.77", "2001:db8:1::1", "203.0.113.9"):
            await signs_in(mailing, ada.email, path=path, address=address)
            await sends(mailing)
        assert [letter["To"] for letter in box.came] == [ada.email, ada.email]
        first, second = (letter.get_content().replace("\r", "") for letter in box.came)
        assert "address: 203.0.113.9\n" in first
        assert "with: Mail/1 {link} X\n" in first
        assert "https://mail.example.org/settings\n" in first
        assert "address: 2001:db8:1::1\n" in second
        assert await mailing.rows("mailed_secret", "expires_at") != [], "of the verification"


async def test_who_lost_the_first_letter_has_another_one_sent(
    mailing: Api, letters: tuple[Letters, int]
) -> None:
    box, _ = letters
    async with mailing.person() as ada:
        await sends(mailing)
        assert (await ada.http.post("/me/verify-email")).status_code == 202
        await sends(mailing)
        assert len(box.came) == 2
        answer = await ada.http.post("/auth/verify-email", json={"token": box.secret()})
        assert answer.status_code == 204
        assert (await ada.http.post("/me/verify-email")).status_code == 202
        await sends(mailing)
        assert len(box.came) == 2, "nothing is left to show"


async def test_where_addresses_must_be_verified_one_sees_to_oneself_only_before(
    platform: Platform, seal_directory: Path, letters: tuple[Letters, int]
) -> None:
    box, port = letters
    async with (
        running_api(
            platform,
            seal_directory,
            require_verified_email=True,
            system_smtp_host="127.0.0.1",
            system_smtp_port=port,
            system_smtp_security="none",
            public_url="https://mail.example.org",
        ) as api,
        api.person() as ada,
    ):
        for path in ("/accounts", "/events", "/audit"):
            refused = await ada.http.get(path)
            assert (refused.status_code, refused.json()["code"]) == (403, "email_unverified")
        for path in ("/me", "/me/sessions", "/me/settings"):
            assert (await ada.http.get(path)).status_code == 200
        await sends(api)
        answer = await ada.http.post("/auth/verify-email", json={"token": box.secret()})
        assert answer.status_code == 204
        assert (await ada.http.get("/accounts")).status_code == 200
        made = await ada.http.post("/invitations", json={"email": "grace@example.org"})
        assert made.status_code == 201
        await sends(api)
        joined = await ada.http.post(
            "/auth/accept-invitation", json={"token": box.secret(), "password": PASSWORD}
        )
        async with api.client(Authorization=f"Bearer {joined.json()['access_token']}") as grace:
            assert (await grace.get("/accounts")).status_code == 200, "the link came by mail"


def test_to_ask_for_verified_addresses_a_server_must_be_able_to_write_to_them(
    platform: Platform, seal_directory: Path
) -> None:
    with pytest.raises(ValidationError, match="API_SYSTEM_SMTP_HOST"):
        Settings(
            database_url=SecretStr("postgresql://x"),
            request_database_url=SecretStr("postgresql://x"),
            bus_url=SecretStr("nats://x"),
            jwt_keys_file=Path("unused"),
            seal_keys_dir=seal_directory,
            own_keys_dir=seal_directory,
            require_verified_email=True,
        )


async def test_a_server_without_system_mail_says_so(api: Api) -> None:
    async with api.client() as client:
        answer = await client.post("/auth/forgot-password", json={"email": "a@example.org"})
    assert (answer.status_code, answer.json()["code"]) == (409, "system_mail_off")
    async with api.person() as ada:
        answer = await ada.http.post("/me/verify-email")
    assert (answer.status_code, answer.json()["code"]) == (409, "system_mail_off")


def test_a_tenants_name_adds_no_line_to_a_letter() -> None:
    from tests.api.mail import NOON

    letter = written(
        Letter.INVITE,
        sender="postbus@example.org",
        to="grace@example.org",
        link="https://mail.example.org/invitation#x",
        tenant="Friends\r\nBcc: everybody@example.org\n\nhttps://evil.example",
        message_id="<1@example.org>",
        now=NOON,
    )
    assert letter["Bcc"] is None
    assert "\nBcc" not in letter.get_content()
