"""How long to wait before the next try.

Later each time, so that a server in trouble is left in peace; never less than it asked for; and
each account at a moment of its own, so that a thousand of them do not come back as one.
"""

import hashlib
from uuid import UUID

from services.sync.domain.provider_limits import Limit, LimitKind

#: Where waiting begins for a limit whose server does not say how long.
_FIRST_SECONDS = {
    LimitKind.CONNECTIONS: 30.0,  # somebody has to hang up
    LimitKind.BANDWIDTH: 15 * 60.0,  # counted by the hour and the day
    LimitKind.COMMANDS: 60.0,
}
#: Where it ends: a day's bytes come back within the day, and asking each ten minutes is rude.
_LONGEST_SECONDS = {LimitKind.BANDWIDTH: 4 * 3600.0}

_STARTS_PER_SECOND = 50
_LONGEST_START_SECONDS = 60.0


def next_pause(
    failures: int, *, luck: float, first: float, longest: float, limit: Limit | None = None
) -> float:
    """Seconds until the next try, after so many failures in a row.

    `luck` is a random number from 0 up to 1. Without a word from the server it is anything
    between half of the doubled pause and all of it; what the server asked for is only added to.
    """
    if limit is not None:
        first = max(first, _FIRST_SECONDS.get(limit.kind, 0.0))
        longest = max(longest, first, _LONGEST_SECONDS.get(limit.kind, 0.0))
    # 2 ** 20 firsts are beyond any longest; more would only overflow.
    doubled = min(first * 2.0 ** min(max(failures - 1, 0), 20), longest)
    if limit is not None and limit.retry_after_seconds is not None:
        return limit.retry_after_seconds + min(doubled, 60.0) * luck
    return doubled * (1.0 + luck) / 2.0


def start_delay(account_id: UUID, count: int, *, new: bool = False) -> float:
    """Seconds before an account signs in, when `count` accounts begin together.

    A replica that takes over a thousand accounts spreads them over twenty seconds. The moment is
    the account's own and stays the same; one that was connected just now does not wait.
    """
    if new or count <= 1:
        return 0.0
    spread = min(count / _STARTS_PER_SECOND, _LONGEST_START_SECONDS)
    # Hashed: ids made in one moment differ only in a counter (UUIDv7, RFC 9562 §6.2).
    digest = hashlib.blake2b(account_id.bytes, digest_size=6).digest()
    return spread * int.from_bytes(digest, "big") / 2**48
