"""How pages of messages become what is shown: rows, counts and log in one transaction."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

from services.api.actions.showing import overlay
from services.api.domain.logbook import Entry
from services.api.domain.told import M, Page, Told, Transition, one_each, tally
from services.api.store import accounts, drafts, labels, log, mailboxes
from shared.db import Connection, Pool, in_transaction

Transitions: TypeAlias = Mapping[tuple[UUID, UUID], Transition]


async def project(
    pool: Pool,
    pages: Sequence[Page[M]],
    write: Callable[[Connection, Sequence[Told[M]]], Awaitable[Transitions]],
    entries: Callable[[Sequence[Told[M]], Transitions], list[Entry]],
) -> dict[UUID, int]:
    """Write what these pages tell of accounts that are there; returns how far logs grew.

    Counts and log follow from what the rows became, so that a page heard twice, or by two
    replicas at once, changes them once.
    """

    async def work(connection: Connection) -> dict[UUID, int]:
        living = await accounts.hold_living(
            connection, [(page.tenant_id, page.account_id) for page in pages]
        )
        told = one_each(page for page in pages if (page.tenant_id, page.account_id) in living)
        if not told:
            return {}
        transitions = await overlay(connection, await write(connection, told))
        if concerned := _places(transitions.values()):
            await drafts.note_changed(connection, concerned, list(transitions))
        await mailboxes.count(connection, tally(transitions.values()))
        await labels.follow(connection, transitions.values())
        news = await log.unlogged(connection, entries(told, transitions))
        return await log.append(connection, news)

    return await in_transaction(pool, work)


def _places(transitions: Iterable[Transition]) -> list[tuple[UUID, UUID]]:
    """The mailboxes in which something is shown, or shown no more, that was not, or was."""
    places: set[tuple[UUID, UUID]] = set()
    for moved in transitions:
        before = moved.before and moved.before.listed and moved.before.mailbox_id
        after = moved.after.listed and moved.after.mailbox_id
        if before != after:
            places |= {(moved.tenant_id, one) for one in (before, after) if one}
    return sorted(places)
