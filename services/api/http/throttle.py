"""Slows down who guesses: a bucket of attempts for each key, filled again with time."""

import time
from collections import OrderedDict
from collections.abc import Hashable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from litestar.connection import ASGIConnection

from services.api.domain.refusals import TooManyAttempts

_KEYS = 50_000


def client_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Who asks, as far as the network tells: an IPv6 host has a whole /64 to choose from."""
    host = connection.client.host if connection.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return host


class Throttle:
    """So many attempts a minute for each key; those of this process only."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def spend(self, key: Hashable) -> None:
        """Take one attempt; raises TooManyAttempts when there is none left."""
        now = time.monotonic()
        left, then = self._buckets.pop(key, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - then) * self._per_minute / 60)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _KEYS:
            self._buckets.popitem(last=False)
        if not allowed:
            raise TooManyAttempts(
                retry_after_seconds=max(1, int((1 - left) * 60 / self._per_minute + 1))
            )
