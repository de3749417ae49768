"""Accounts of sync that sign in by tokens of a provider."""

import base64
import hashlib
import json
import secrets
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
from uuid_utils.compat import uuid7

from shared.bus import Bus, NoAnswer
from shared.contracts.account import ConnectSync, Endpoint, Security
from shared.contracts.envelope import Caller, Query
from shared.contracts.oauth import (
    MailServer,
    RedeemCode,
    Redeemed,
    Redemption,
    belongs_to,
)
from shared.seal import SealingKeys, seal_own
from tests.servers.imap_server import Reachable
from tests.servers.provider import CLIENT_ID, CLIENT_SECRET, SCOPES, Provider
from tests.stories.stack import until
from tests.sync.conftest import Sync

T = TypeVar("T")

REDIRECT = "https://postbus.example/connect/callback"


def listed(provider: Provider, *, imap: int = 1, smtp: int = 1) -> str:
    """What tells of this provider (OAUTH_PROVIDERS)."""

    def server(port: int) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": port, "security": "none"}

    return json.dumps(
        [
            {
                "name": "test",
                "label": provider.label,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "authorization_endpoint": provider.authorization_endpoint,
                "token_endpoint": provider.token_endpoint,
                "revocation_endpoint": provider.revocation_endpoint,
                "scopes": list(SCOPES),
                "imap": server(imap),
                "smtp": server(smtp),
            }
        ]
    )


async def answered(bus: Bus, query: Query, kind: type[T]) -> T:
    """The answer of a service that may still be coming up."""

    async def asked() -> T | None:
        try:
            return await bus.ask(query, kind)
        except NoAnswer:
            return None

    return await until(f"{query.channel} is answered", asked)


async def redeem(
    sync: Sync,
    provider: Provider,
    user: str,
    server: Reachable,
    *,
    tenant_id: UUID,
    account_id: UUID,
    expected: str | None = None,
    smtp_port: int = 1,
    verifier: str | None = None,
    token_endpoint: str | None = None,
) -> tuple[UUID, Redeemed]:
    """Let this person consent, and have sync make a grant of it; needs its answer role."""
    provider.redirect_uris = [REDIRECT]
    told = secrets.token_urlsafe(40)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(told.encode()).digest())
    grant_id = uuid7()
    redemption = Redemption(
        code=provider.code_for(user, REDIRECT, challenge.rstrip(b"=").decode()),
        verifier=verifier or told,
        redirect_uri=REDIRECT,
        client_id=CLIENT_ID,
        token_endpoint=token_endpoint or provider.token_endpoint,
        username=expected or user,
        repairs=expected is not None,
        imap=MailServer(host="127.0.0.1", port=server.imap_port, security=Security.NONE),
        smtp=MailServer(host="127.0.0.1", port=smtp_port, security=Security.NONE),
    )
    sealed = seal_own(
        msgspec.json.encode(redemption),
        SealingKeys.load(sync.keys),
        belongs_to(tenant_id, account_id, grant_id, "test"),
    )
    query = RedeemCode(
        caller=Caller(tenant_id=tenant_id, account_ids=()),
        grant_id=grant_id,
        account_id=account_id,
        provider="test",
        sealed=sealed,
    )
    return grant_id, await answered(sync.api, query, Redeemed)


async def connect_by_consent(
    sync: Sync,
    provider: Provider,
    user: str,
    server: Reachable,
    *,
    known: ConnectSync | None = None,
    smtp_port: int = 1,
) -> ConnectSync:
    """An account that signs in by tokens, or one that does so again."""
    tenant_id = known.tenant_id if known else uuid4()
    account_id = known.account_id if known else uuid4()
    grant_id, redeemed = await redeem(
        sync,
        provider,
        user,
        server,
        tenant_id=tenant_id,
        account_id=account_id,
        expected=user if known else None,
        smtp_port=smtp_port,
    )
    assert redeemed.problem is None, redeemed.problem
    command = ConnectSync(
        tenant_id=tenant_id,
        account_id=account_id,
        version=known.version + 1 if known else 1,
        email=user,
        endpoint=Endpoint(
            host="127.0.0.1",
            port=server.imap_port,
            security=Security.NONE,
            username=redeemed.username or user,
        ),
        sealed=b"",
        grant_id=grant_id,
    )
    await sync.command(command)
    return command
