"""The steps of the README, as a person with curl takes them."""

from typing import Any

import httpx

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import until


def connection(port: int, user: str, password: str = PASSWORD) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "username": user,
        "password": password,
    }


async def connect(
    person: httpx.AsyncClient,
    user: str,
    dovecot: Dovecot,
    postfix: Postfix | None = None,
    *,
    password: str = PASSWORD,
) -> str:
    """Connect an account; its id."""
    smtp_port = postfix.submission_port if postfix else 1
    answer = await person.post(
        "/accounts",
        json={
            "name": "Test",
            "email": user,
            "imap": connection(dovecot.imap_port, user, password),
            "smtp": connection(smtp_port, user, password),
        },
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "connecting"
    return answer.json()["id"]


async def until_state(
    person: httpx.AsyncClient, account: str, state: str, *, seconds: float = 60.0
) -> dict[str, Any]:
    """The account once it is in this state."""

    async def check() -> dict[str, Any] | None:
        answer = await person.get(f"/accounts/{account}")
        if answer.status_code != 200:
            return None
        found = answer.json()
        return found if found["state"] == state else None

    return await until(f"{account} is {state}", check, seconds=seconds)


async def pages(person: httpx.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """Everything behind a paged list."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": 100, **params, **({"cursor": cursor} if cursor else {})}
        answer = await person.get(path, params=query)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        rows += body["items"]
        cursor = body.get("next_cursor")
        if not cursor:
            return rows


async def mailboxes(person: httpx.AsyncClient, account: str) -> dict[str, dict[str, Any]]:
    """The account's mailboxes by path."""
    found = await pages(person, "/mailboxes", account_id=account)
    return {mailbox["path"]: mailbox for mailbox in found}


async def until_mailbox(
    person: httpx.AsyncClient, account: str, path: str = "INBOX"
) -> dict[str, Any]:
    """The mailbox once it is shown, which may be after the account's new state is."""

    async def check() -> dict[str, Any] | None:
        return (await mailboxes(person, account)).get(path)

    return await until(f"{path} is shown", check)
