"""The api, put together: settings, bus, pools, what it hears, what it does, what it serves."""

import asyncio
from datetime import timedelta
from pathlib import Path

import structlog

from services.api.actions.connecting import Seals
from services.api.actions.hashing import open_hashing
from services.api.actions.limiting import open_limits
from services.api.actions.sanitising import open_sanitiser
from services.api.actions.send_message import sending_in
from services.api.actions.sessions import Issuer, KeyFile
from services.api.actions.settle_restore import settle_restore
from services.api.actions.telling import Manner
from services.api.http.gateway import gateway
from services.api.http.malformed import HttpProtocol
from services.api.settings import Settings
from services.api.store import webhooks
from services.api.subscribers import SERVICE, ears
from services.api.workers.chores import work
from services.api.workers.following import watch_logs
from services.api.workers.webhooks import tell_webhooks
from services.api.world import Spreading, World
from shared.bus import Relay, Values, measure_streams, open_bus
from shared.db import Pool, open_pool, settle_restoration
from shared.dial.providers import know_providers
from shared.seal import OpeningKeys, SealingKeys, UnknownKey, missing_keys
from shared.telemetry import Check, configure, serve, serve_probes, until_one_ends

log = structlog.get_logger()


async def main(stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    settings = Settings()  # pyright: ignore[reportCallIssue]  - from the environment
    configure(SERVICE, settings.log_level, settings.log_format)
    know_providers(settings.mail_providers_file)
    issuer = Issuer(
        key_file=KeyFile(settings.jwt_keys_file),
        access_lives=settings.access_lives,
        refresh_lives=settings.refresh_lives,
    )
    seals = Seals(
        sync=SealingKeys.load(settings.seal_keys_dir / "sync"),
        sender=SealingKeys.load(settings.seal_keys_dir / "sender"),
    )
    async with (
        open_bus(settings, service=SERVICE) as bus,
        open_pool(
            settings.database_url,
            settings,
            name=SERVICE,
            size=settings.database_pool_size,
            by_key=True,
            planned_once=True,
        ) as pool,
        open_pool(
            settings.request_database_url,
            settings,
            name=f"{SERVICE}_request",
            size=settings.request_database_pool_size,
            by_key=True,
        ) as request_pool,
        open_sanitiser(at_once=settings.sanitisers, seconds=settings.sanitise_seconds) as sanitiser,
        open_hashing(at_once=settings.passwords_at_once) as hashing,
        open_limits(Values(bus), settle_seconds=settings.limits_settle_seconds) as limits,
    ):
        await settle_restoration(pool, settle_restore)
        relay = Relay(bus, pool)
        world = World(
            settings=settings,
            pool=pool,
            request_pool=request_pool,
            bus=bus,
            relay=relay,
            spreading=Spreading(bus),
            issuer=issuer,
            seals=seals,
            sanitiser=sanitiser,
            hashing=hashing,
            limits=limits,
            sending=sending_in(request_pool),
            manner=manner_of(settings, await own_keys(settings.own_keys_dir, pool)),
        )
        async with (
            relay.running(),
            ears.open(bus, world),
            serve_probes(settings.probe_host, settings.probe_port, _checks(world)),
            serve(
                gateway(world),
                host=settings.host,
                port=settings.port,
                grace_seconds=settings.shutdown_grace_seconds,
                trusted_proxies=settings.trusted_proxies,
                http=HttpProtocol,
            ) as port,
        ):
            log.info("serving", host=settings.host, port=port)
            try:
                # A worker that fails ends the process; its supervisor starts it anew.
                await until_one_ends(
                    stop.wait(),
                    work(world),
                    tell_webhooks(world),
                    watch_logs(world),
                    measure_streams(bus),
                )
            finally:
                # Streams are told to end first, so that nothing has to be cut off.
                world.closing.set()
                world.growth.wake_all()


def _checks(world: World) -> dict[str, Check]:
    async def database() -> None:
        await world.pool.fetchval("SELECT 1")

    async def bus() -> bool:
        return world.bus.is_connected

    return {"database": database, "bus": bus}


def manner_of(settings: Settings, keys: OpeningKeys) -> Manner:
    """How webhooks are told, as the operator says."""
    return Manner(
        keys=keys,
        policy=settings.dial_policy,
        allow_http=settings.webhook_allow_http,
        answer_within=settings.webhook_seconds,
        first_pause=timedelta(seconds=settings.webhook_retry_seconds),
        give_up_after=timedelta(days=settings.webhook_retry_days),
    )


async def own_keys(directory: Path, pool: Pool) -> OpeningKeys:
    """The keys that open what the api keeps sealed; raises KeysUnusable where one is missing."""
    keys = OpeningKeys.load(directory)
    async with pool.acquire() as connection:
        missing = missing_keys(await webhooks.keys_in_use(connection), keys)
    if missing:
        raise UnknownKey(f"Secrets of webhooks need {', '.join(sorted(missing))} in {directory}.")
    return keys
