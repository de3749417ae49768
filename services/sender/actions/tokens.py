"""Access tokens of accounts that sign in by OAuth2: sync is asked for them, and they are kept while
they live.
"""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from services.sender.smtp import ConsentEnded, Phase, Token, TokenUnavailable
from services.sender.store import Account
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.oauth import IssueToken, TokenAnswer
from shared.seal import Destination, OpeningKeys, open_sealed

#: A token that ends sooner is not begun with.
_LAST_SECONDS = 15.0


class _Kept(NamedTuple):
    version: int  # of the account's settings
    token: Token
    until: float  # by the loop's clock


class Tokens:
    """The tokens of one process."""

    def __init__(self, bus: Bus, keys: OpeningKeys) -> None:
        self._bus = bus
        self._keys = keys
        self._kept: dict[UUID, _Kept] = {}

    async def token(self, account: Account, *, refused: Token | None = None) -> Token:
        """A token for exactly this server; raises TokenUnavailable, ConsentEnded, SealError.

        `refused`: one that the server did not take, though it should still live.
        """
        now = asyncio.get_running_loop().time()
        for account_id, kept in list(self._kept.items()):
            if kept.until <= now:
                del self._kept[account_id]
        known = self._kept.get(account.account_id)
        if known is not None and known.version == account.version and known.token != refused:
            return known.token
        digest = None if refused is None else sha256(refused.value.encode()).digest()
        query = IssueToken(
            caller=Caller(tenant_id=account.tenant_id, account_ids=(account.account_id,)),
            account_id=account.account_id,
            refused=digest,
        )
        try:
            answer = await self._bus.ask(query, TokenAnswer)
        except NoAnswer as silence:
            raise TokenUnavailable(Phase.AUTH) from silence
        if answer.sealed is None or answer.expires_at is None:
            raise _why(answer)
        place = Destination.of(
            account.endpoint,
            tenant_id=account.tenant_id,
            account_id=account.account_id,
            purpose="smtp",
        )
        token = Token(open_sealed(answer.sealed, self._keys, place).secret)
        lives = (answer.expires_at - datetime.now(UTC)).total_seconds()
        self._kept[account.account_id] = _Kept(account.version, token, now + lives - _LAST_SECONDS)
        return token


def _why(answer: TokenAnswer) -> ConsentEnded | TokenUnavailable:
    problem = answer.problem
    kind = ConsentEnded if problem and problem.code == "reauth_required" else TokenUnavailable
    return kind(Phase.AUTH, message=(problem and problem.detail) or kind.__doc__)
