"""Give sender an access token for the submission server that its account's consent is for."""

from datetime import UTC, datetime, timedelta

from services.sync.actions.refreshing import Refresher
from services.sync.domain.tokens import GrantEnded, TokenError
from services.sync.store import grants
from shared.contracts.envelope import Problem
from shared.contracts.oauth import IssueToken, TokenAnswer
from shared.db import Pool
from shared.seal import Credential, Destination, SealError, SealingKeys, seal


async def issue_token(
    query: IssueToken, refresher: Refresher, sender_keys: SealingKeys | None, pool: Pool
) -> TokenAnswer:
    """Whatever the asker believes, the token is sealed for the server that was consented to."""
    tenant_id = query.caller.tenant_id
    async with pool.acquire() as connection:
        grant_id = await grants.of_account(connection, tenant_id, query.account_id)
    if grant_id is None:
        return _none("not_found")
    if sender_keys is None:
        return _none("token_unavailable", "SYNC_SENDER_KEYS_DIR is not set.")
    try:
        issued = await refresher.token(tenant_id, grant_id, refused=query.refused)
    except GrantEnded as ended:
        return _none("reauth_required", ended.said)
    except (TokenError, SealError) as error:
        return _none("token_unavailable", str(error))
    place = Destination.of(
        issued.grant.smtp, tenant_id=tenant_id, account_id=query.account_id, purpose="smtp"
    )
    return TokenAnswer(
        sealed=seal(Credential.at(place, issued.token), sender_keys),
        expires_at=datetime.now(UTC) + timedelta(seconds=issued.seconds_left),
    )


def _none(code: str, detail: str = "") -> TokenAnswer:
    return TokenAnswer(problem=Problem(code=code, detail=detail))
