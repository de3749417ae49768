"""How busy the pools of connections are."""

from collections.abc import Iterable

import asyncpg
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector


class Pools(Collector):
    """The pools of this process, counted when somebody asks."""

    def __init__(self) -> None:
        self._pools: dict[asyncpg.Pool, str] = {}

    def show(self, pool: asyncpg.Pool, role: str) -> None:
        """Count this one from now on, under the role that it comes as."""
        self._pools[pool] = role

    def hide(self, pool: asyncpg.Pool) -> None:
        """It is closed."""
        self._pools.pop(pool, None)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        connections = GaugeMetricFamily(
            "postbus_database_pool_connections",
            "Connections of this process to PostgreSQL.",
            labels=["role", "state"],  # role: as in PostgreSQL; state: used, idle
        )
        largest = GaugeMetricFamily(
            "postbus_database_pool_max_connections",
            "How many connections this process may have.",
            labels=["role"],
        )
        for pool, role in list(self._pools.items()):
            idle = pool.get_idle_size()
            connections.add_metric([role, "idle"], idle)
            connections.add_metric([role, "used"], pool.get_size() - idle)
            largest.add_metric([role], pool.get_max_size())
        yield connections
        yield largest


POOLS = Pools()
REGISTRY.register(POOLS)
