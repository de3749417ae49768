"""The demo login and its mailboxes, made through the HTTP API as anybody would."""

import json
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

from infra.dev.demo import ADA, GRACE, DemoAccount
from infra.dev.home import Home, Refused
from infra.dev.programs import IMAP, SMTP

EMAIL = "demo@postbus.example"
PASSWORD = "demo-postbus"  # noqa: S105 - public, as the mail that it opens
MAILBOXES = (ADA, GRACE)  # the third is the outside world, where sent mail arrives


def seed(home: Home) -> bool:
    """Make what is not there yet; False when the demo login is somebody's own by now.

    A mailbox that was disconnected stays so. Those that are there learn where the demo server is
    today: it moves with POSTBUS_PORT.
    """
    api = _Api(home)
    status, tokens = api.ask("POST", "/auth/login", {"email": EMAIL, "password": PASSWORD})
    if status == HTTPStatus.UNAUTHORIZED:
        registration = {"email": EMAIL, "password": PASSWORD, "name": "Demo"}
        status, tokens = api.ask("POST", "/auth/register", registration)
        if status in (HTTPStatus.CONFLICT, HTTPStatus.FORBIDDEN):
            return False
    _expect(status, HTTPStatus.OK, HTTPStatus.CREATED, said=tokens)
    api.token = tokens["access_token"]
    status, accounts = api.ask("GET", "/accounts")
    _expect(status, HTTPStatus.OK, said=accounts)
    known = {account["email"]: account for account in accounts["items"]}
    for mailbox in MAILBOXES:
        account = known.get(mailbox.address)
        if account is not None:
            _move(api, home, account, mailbox)
        elif not _seeded(home):
            status, said = api.ask(
                "POST",
                "/accounts",
                {"name": mailbox.name, "email": mailbox.address, **_servers(home, mailbox)},
            )
            _expect(status, HTTPStatus.CREATED, said=said)
    (home.path / "seeded").touch()
    return True


def _seeded(home: Home) -> bool:
    return (home.path / "seeded").exists()


def _servers(home: Home, mailbox: DemoAccount) -> dict[str, Any]:
    return {
        protocol: {
            "host": "127.0.0.1",
            "port": home.port + port,
            "security": "none",
            "username": mailbox.address,
            "password": mailbox.password,
        }
        for protocol, port in (("imap", IMAP), ("smtp", SMTP))
    }


def _move(api: "_Api", home: Home, account: dict[str, Any], mailbox: DemoAccount) -> None:
    servers = _servers(home, mailbox)
    if any(account[protocol]["port"] != server["port"] for protocol, server in servers.items()):
        status, said = api.ask("PATCH", f"/accounts/{account['id']}", servers)
        _expect(status, HTTPStatus.OK, said=said)


class _Api:
    def __init__(self, home: Home) -> None:
        self._port = home.port
        self.token: str | None = None

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            headers = {"Content-Type": "application/json"}
            if self.token is not None:
                headers["Authorization"] = f"Bearer {self.token}"
            sent = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1{path}", sent, headers)
            answer = connection.getresponse()
            said = answer.read()
            return answer.status, json.loads(said) if said else None
        finally:
            connection.close()


def _expect(status: int, *expected: int, said: object) -> None:
    if status not in expected:
        raise Refused(f"The demo could not be set up: the API answered {status}: {said}")
