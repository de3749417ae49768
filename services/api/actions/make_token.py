"""Give a program a token to speak for somebody."""

import secrets
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.identify_caller import Who
from services.api.domain.tokens import KEY_BYTES, api_token, prefix_of, secret_hash
from services.api.store import audit_log, tokens
from services.api.store.tokens import ApiToken
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.db import Pool, tenant_transaction


async def make_token(
    pool: Pool,
    caller: Caller,
    who: Who,
    *,
    name: str,
    scopes: list[str],
    account_ids: list[UUID] | None,
    expires_at: datetime | None,
) -> tuple[ApiToken, str]:
    """The token as it is listed, and what proves it: shown this once, and kept as a hash only."""
    secret = api_token(secrets.token_bytes(KEY_BYTES))
    token = ApiToken(
        token_id=uuid7(),
        name=name,
        prefix=prefix_of(secret),
        scopes=scopes,
        account_ids=account_ids,
        created_at=datetime.now(UTC),
        expires_at=expires_at,
    )
    async with tenant_transaction(pool, caller) as connection:
        await tokens.add(connection, caller.tenant_id, who.person_id, token, secret_hash(secret))
        made = who.did(
            "token.made",
            subject=shown(Kind.TOKEN, token.token_id),
            details={"name": name, "scopes": scopes},
        )
        await audit_log.note(connection, made)
    return token, secret
