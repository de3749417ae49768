"""Make the threads of an account anew from what is kept of it: a job with a cursor over our rows.

    gathering ──every message──> putting ──every message──> forgetting ──> done
    names of the next            its names are in use;      names of the
    generation, unseen           who differs is told        last one

Mail that comes meanwhile is put where the names in use say. What came so late that gathering did
not see it is put again with all others, and so meets whatever it belongs to.
"""

import asyncio
from collections.abc import Sequence

from uuid_utils.compat import uuid7

from services.sync.actions.comparing import changed, tell_changes
from services.sync.domain.rethreading import Threaded, join_anew, named_by
from services.sync.domain.threading import Named
from services.sync.store import accounts, leases, rethreadings, threads
from services.sync.store.rethreadings import Kept, Rethreading, Stage
from shared.contracts.mail import ChangeReason
from shared.db import Connection, Pool, in_transaction

_MESSAGES = 200  # a page, and never more of an account held than that
_NAMES = 5_000


async def rethread_account(wish: Rethreading, pool: Pool) -> None:
    """Do one page of an account whose threads are made anew; raises LeaseLost."""
    if wish.stage is Stage.FORGETTING:
        await _forget(wish, pool)
        return
    async with pool.acquire() as connection:
        page = await rethreadings.kept_after(
            connection, wish.lease.account_id, wish.done_up_to, _MESSAGES
        )
    named = await asyncio.to_thread(_named, page)  # some megabytes to unpack

    async def work(connection: Connection) -> None:
        await leases.hold(connection, wish.lease)
        revision = await accounts.next_revision(connection, wish.lease.account_id)
        if not await rethreadings.hold(connection, wish):
            return  # asked for anew meanwhile
        if page:
            await _put(connection, wish, page, named, revision)
            await rethreadings.advance(connection, wish, page[-1].message_id)
        if len(page) < _MESSAGES:
            await _end_stage(connection, wish)

    await in_transaction(pool, work)


def _named(page: Sequence[Kept]) -> list[Named]:
    return [named_by(one.content, one.message_id, one.conversation) for one in page]


async def _put(
    connection: Connection,
    wish: Rethreading,
    page: Sequence[Kept],
    named: Sequence[Named],
    revision: int,
) -> None:
    """Put these messages where their names say; in use or not, the names of this generation."""
    account_id, generation = wish.lease.account_id, wish.generation
    settled = wish.stage is Stage.PUTTING
    there = await rethreadings.threads_of(connection, account_id, [one.message_id for one in page])
    messages = [
        Threaded(one.message_id, there[one.message_id], names)
        for one, names in zip(page, named, strict=True)
        if one.message_id in there
    ]
    known = await threads.known(
        connection,
        account_id,
        generation,
        sorted({name for one in messages for name in one.named.names}),
    )
    joined = join_anew(
        messages,
        known,
        await threads.named(connection, account_id, generation, sorted(set(there.values()))),
        settled=settled,
        new_thread=uuid7,
    )
    await threads.register(
        connection,
        wish.lease.tenant_id,
        account_id,
        generation,
        {name: thread for name, thread in joined.names.items() if known.get(name) != thread},
    )
    if joined.merged:
        await threads.merge_names(connection, account_id, generation, joined.merged)
    if not settled:
        return
    moved = {
        one.message_id: one
        for one in (
            *(
                await threads.merge_messages(connection, account_id, joined.merged, revision)
                if joined.merged
                else ()
            ),
            *await threads.put(
                connection,
                account_id,
                {
                    one.message_id: thread
                    for one, thread in zip(messages, joined.threads, strict=True)
                },
                revision,
            ),
        )
    }
    await tell_changes(
        connection,
        wish.lease,
        [
            changed(
                one.message_id,
                revision,
                one.mailbox_id,
                one.keywords,
                one.labels,
                one.thread_id,
                ChangeReason.THREADED,
            )
            for one in moved.values()
        ],
    )


async def _end_stage(connection: Connection, wish: Rethreading) -> None:
    if wish.stage is Stage.GATHERING:
        await rethreadings.use(connection, wish)
        await rethreadings.enter(connection, wish, Stage.PUTTING)
    else:
        await rethreadings.enter(connection, wish, Stage.FORGETTING)


async def _forget(wish: Rethreading, pool: Pool) -> None:
    async def work(connection: Connection) -> None:
        await leases.hold(connection, wish.lease)
        if await rethreadings.hold(connection, wish):
            await rethreadings.forget_names(connection, wish, _NAMES)

    await in_transaction(pool, work)
