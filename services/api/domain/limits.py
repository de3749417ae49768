"""How much is let through: so many in so long, counted in windows or one by one."""

from math import ceil

import msgspec
from msgspec import Struct


class Limit(Struct, frozen=True, kw_only=True):
    """So many requests of one kind for each who asks."""

    name: str  # as RateLimit-Policy and the metrics call it
    most: int
    seconds: int


class Standing(Struct, frozen=True, kw_only=True):
    """How somebody stands with a limit after asking."""

    limit: Limit
    allowed: bool
    left: int
    renews_in: float  # seconds until there is more

    @property
    def retry_after_seconds(self) -> int:
        return max(1, ceil(self.renews_in))


class Window(Struct, frozen=True, array_like=True):
    """What was let through since a window began; it begins with its first request."""

    began: float  # Unix time
    count: int

    def runs(self, limit: Limit, now: float) -> bool:
        # A clock of another replica may be a little ahead; what lies far ahead is no window.
        return now - limit.seconds < self.began <= now + limit.seconds

    def standing(self, limit: Limit, now: float, *, more: int = 0) -> Standing:
        """As seen with `more` that is not counted yet; not allowed if the limit is reached."""
        left = limit.most - self.count - more
        return Standing(
            limit=limit,
            allowed=left >= 0,
            left=max(0, left),
            renews_in=max(0.0, self.began + limit.seconds - now),
        )


class Attempts(Struct, frozen=True, array_like=True):
    """The moment of each attempt that was let through, oldest first: no window to wait for."""

    at: tuple[float, ...] = ()  # Unix time

    def lately(self, limit: Limit, now: float) -> "Attempts":
        """Without those that no longer count."""
        return Attempts(
            tuple(at for at in self.at if now - limit.seconds < at <= now + limit.seconds)
        )

    def with_one(self, now: float) -> "Attempts":
        return Attempts(tuple(sorted((*self.at, now))))

    def standing(self, limit: Limit, now: float, *, allowed: bool) -> Standing:
        left = max(0, limit.most - len(self.at))
        # There is room again when the oldest of the last `most` is old enough.
        first = self.at[-limit.most :][:1]
        return Standing(
            limit=limit,
            allowed=allowed,
            left=left,
            renews_in=max(0.0, first[0] + limit.seconds - now) if first else 0.0,
        )


def window_of(data: bytes) -> Window | None:
    """What a replica wrote; None where that cannot be read, so that nobody is locked out."""
    try:
        return msgspec.json.decode(data, type=Window)
    except msgspec.MsgspecError:
        return None


def attempts_of(data: bytes) -> Attempts:
    """What a replica wrote."""
    try:
        return msgspec.json.decode(data, type=Attempts)
    except msgspec.MsgspecError:
        return Attempts()
