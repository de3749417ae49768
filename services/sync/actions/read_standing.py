"""How an account stands with its server."""

from datetime import UTC, datetime

from services.sync.domain.budget import budget_of, may_fill, renews_at
from services.sync.settings import Settings
from services.sync.store import connections, hosts, quarantine, servers, standing
from services.sync.store.servers import Learnt
from shared.contracts.envelope import Problem
from shared.contracts.standing import AppliedProfile, ReadStanding, Standing, StandingAnswer
from shared.db import Pool, tenant_transaction


async def read_standing(
    query: ReadStanding, settings: Settings, request_pool: Pool
) -> StandingAnswer:
    """What the account uses, may use, and waits for, if the caller may see it."""
    tenant_id, account_id = query.caller.tenant_id, query.account_id
    async with tenant_transaction(request_pool, query.caller) as connection:
        stands = await standing.stands(connection, tenant_id, account_id)
        if stands is None:
            return StandingAnswer(problem=Problem(code="not_found"))
        rest = await standing.rest_of(connection, account_id, stands.version)
        host = await hosts.resting(connection, stands.host, stands.port)
        used = await standing.used_today(connection, account_id)
        in_use = await connections.open_now(connection, account_id)
        server = await servers.learnt(connection, account_id, stands.host, stands.version)
        quarantined = await quarantine.totals(connection, tenant_id, account_id)
    now = datetime.now(UTC)
    budget = budget_of(
        server.chosen,
        connections=settings.connections_per_account,
        bytes_per_day=settings.account_bytes_per_day,
        commands_per_day=settings.account_commands_per_day,
        learnt=rest.connections_learnt,
    )
    until, reason = rest.until, rest.reason
    if host is not None and (until is None or host.until > until):
        until, reason = host.until, host.reason
    return StandingAnswer(
        standing=Standing(
            state=stands.state,
            reason=stands.reason,
            server_said=stands.server_said,
            state_since=stands.changed_at,
            paused=stands.paused,
            resting_until=until,
            resting_reason=reason,
            resting_because_asked=rest.asked_by_server,
            checked_for_at=stands.check_asked_at,
            connections=in_use,
            connections_allowed=budget.connections,
            bytes_today=used.bytes,
            bytes_allowed=budget.bytes_per_day,
            commands_today=used.commands,
            filling_rests_until=may_fill(used, budget, now),
            renews_at=renews_at(now),
            quarantined=sum(total.count for total in quarantined),
            connections_by=budget.connections_by,
            bytes_by=budget.bytes_by,
            commands_allowed=budget.commands_per_day,
            commands_by=budget.commands_by,
            profile=_applied(server),
        )
    )


def _applied(server: Learnt) -> AppliedProfile:
    provider, profile = server.chosen.provider, server.chosen.profile
    own = server.chosen.own
    is_learnt = own.files_sent is None and server.files_sent is not None
    return AppliedProfile(
        provider=None if provider is None else provider.name,
        title=None if provider is None else provider.title,
        chosen_by=server.chosen.why,
        server_name=server.server_name,
        connections=profile.connections,
        bytes_per_day=profile.bytes_per_day,
        commands_per_day=profile.commands_per_day,
        messages_per_day=profile.messages_per_day,
        idle_seconds=profile.idle_seconds,
        files_sent=server.files_sent if is_learnt else profile.files_sent,
        files_sent_is_learnt=is_learnt,
        quirks=tuple(sorted(profile.quirks)),
        own=own,
    )
