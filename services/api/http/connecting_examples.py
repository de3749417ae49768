"""What providers and connect links look like, for the reference."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from services.api.http.bodies import Body
from services.api.http.connect_links import (
    ConnectLinks,
    MadeConnectLink,
    NewConnectLink,
    ShownConnectLink,
)
from services.api.http.oauth_providers import (
    NewOAuthProvider,
    OAuthProvider,
    OAuthProviders,
    ShownProviderServer,
)
from services.api.http.tenant import ReturnUrls, ShownReturnUrls
from shared.contracts.account import Security
from shared.contracts.ids import Kind, shown

_NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_TOMORROW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
_SCOPES = ["https://mail.example.org/imap", "https://mail.example.org/smtp", "offline_access"]
_PROVIDER = OAuthProvider(
    name="example",
    label="Example Mail",
    own=True,
    client_id="0e4f6b1c-postbus",
    has_secret=True,
    authorization_endpoint="https://login.example.org/authorize",
    token_endpoint="https://login.example.org/token",  # noqa: S106 - an address
    revocation_endpoint="https://login.example.org/revoke",
    scopes=_SCOPES,
    imap=ShownProviderServer(host="imap.example.org", port=993, security=Security.TLS),
    smtp=ShownProviderServer(host="smtp.example.org", port=465, security=Security.TLS),
)
_LINK: dict[str, Any] = {
    "id": shown(Kind.CONNECT_LINK, UUID("01936d37-5a2e-7c18-b3f4-9d6e1a0c8b57")),
    "account_id": None,
    "email": "ada@example.org",
    "name": "Ada Lovelace",
    "providers": ["google", "microsoft"],
    "password_allowed": False,
    "return_url": "https://crm.example.org/mailbox?user=42",
    "created_at": _NOON,
    "expires_at": _TOMORROW,
    "completed_at": None,
    "connected_account_id": None,
}

_URLS = ["https://crm.example.org/mailbox"]

BODIES: dict[type[Body], dict[str, Any]] = {
    ReturnUrls: {"urls": _URLS},
    NewOAuthProvider: {
        "label": "Example Mail",
        "client_id": "0e4f6b1c-postbus",
        "client_secret": "the secret that the provider gave",
        "authorization_endpoint": "https://login.example.org/authorize",
        "token_endpoint": "https://login.example.org/token",
        "scopes": _SCOPES,
        "imap": {"host": "imap.example.org", "port": 993},
        "smtp": {"host": "smtp.example.org", "port": 465},
    },
    NewConnectLink: {
        "email": "ada@example.org",
        "name": "Ada Lovelace",
        "providers": ["google", "microsoft"],
        "password_allowed": False,
        "return_url": "https://crm.example.org/mailbox?user=42",
    },
}
ANSWERS: tuple[Struct, ...] = (
    _PROVIDER,
    OAuthProviders(items=[_PROVIDER]),
    ShownReturnUrls(urls=_URLS),
    ShownConnectLink(**_LINK),
    ConnectLinks(items=[ShownConnectLink(**_LINK)], next_cursor=None),
    MadeConnectLink(
        **_LINK,
        url="https://mail.example.org/connections/new?link=pbc_the-link-is-shown-once",
    ),
)
