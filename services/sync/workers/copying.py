"""What a mailbox owes us, fetched batch by batch: by one connection, or by two for a first copy.

The newest messages come first and alone, so that a first screen is there whatever else waits.
A server that ends the connection over one message of a batch is asked more and more carefully,
until that message is put aside and the others come.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from uuid import UUID

import structlog

from services.sync.actions.look_at_mailbox import Looked
from services.sync.actions.pull_batch import Pulled, pull_batch, put_aside
from services.sync.domain.window import Batch, batches
from services.sync.imap.errors import Disconnected, Garbled
from services.sync.imap.session import Session
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.store.quarantine import Case
from services.sync.world import World
from shared.contracts.envelope import Lane
from shared.telemetry import end

log = structlog.get_logger()

FIRST_BATCH = 50
BATCH = 1_000
#: Fewer are not worth a second connection.
WORTH_TWO = 2_000
#: After so many connections lost over one mailbox, its messages are asked for one by one.
STUMBLES = 2
#: So many by one, and the culprit is not among them.
_CAREFUL_BATCHES = 2 * BATCH


#: Told after each batch, with the session when it may be used for something else in between.
Came = Callable[[Pulled, Session | None], Awaitable[None]]
#: Whether the day's budget still allows for what was there before us.
MayFill = Callable[[], Awaitable[bool]]


class Copier:
    """Fetches what mailboxes of one account owe, and remembers where connections broke."""

    def __init__(self, lease: Lease, world: World) -> None:
        self._lease = lease
        self._world = world
        self._stumbles: dict[UUID, int] = {}  # by mailbox: connections lost, none kept between

    async def copy(
        self,
        looked: Looked,
        session: Session,
        second: Callable[[], Awaitable[Session | None]],
        may_fill: MayFill,
        came: Came,
    ) -> bool:
        """Bring all that is owed; False when what was there before us has to wait.

        Raises ImapError when a connection is lost; what was kept until then stays.
        """
        mailbox = looked.mailbox
        careful = self._stumbles.get(mailbox.mailbox_id, 0) >= STUMBLES
        waiting = batches(
            looked.owed, looked.top, 1 if careful else FIRST_BATCH, 1 if careful else BATCH
        )
        if careful:
            await self._carefully(mailbox, waiting, session, came)
            return True
        if (first := next(waiting, None)) is None:
            return True
        await self._pull(mailbox, first, session, came)
        other = await second() if len(looked.owed) >= WORTH_TWO else None
        if other is None:
            return await self._all(mailbox, waiting, session, may_fill, came)
        await other.select(mailbox.raw_name, readonly=True)
        if other.selected is None or other.selected.uidvalidity != mailbox.uidvalidity:
            raise Disconnected("The mailbox was renumbered while it was read.")
        return all(
            await _together(
                self._all(mailbox, waiting, session, may_fill, came),
                self._all(mailbox, waiting, other, may_fill, lambda pulled, _: came(pulled, None)),
            )
        )

    async def _all(
        self,
        mailbox: Mailbox,
        waiting: Iterator[Batch],
        session: Session,
        may_fill: MayFill,
        came: Came,
    ) -> bool:
        for batch in waiting:  # shared by those who work together
            if batch.uids[-1] < (mailbox.first_uidnext or 0) and not await may_fill():
                return False
            await self._pull(mailbox, batch, session, came)
        return True

    async def _carefully(
        self,
        mailbox: Mailbox,
        waiting: Iterator[Batch],
        session: Session,
        came: Came,
    ) -> None:
        """One by one: whoever breaks the connection alone is put aside."""
        for count, batch in enumerate(waiting):
            try:
                await self._pull(mailbox, batch, session, came)
            except (Garbled, Disconnected) as error:
                log.warning("message breaks the connection", mailbox=str(mailbox.mailbox_id))
                cases = [
                    Case(uid=uid, reason="breaks_connection", detail=str(error))
                    for uid in batch.uids
                ]
                await put_aside(self._lease, mailbox, cases, self._world.pool, self._world.release)
                raise
            if count > _CAREFUL_BATCHES:
                break
        self._stumbles.pop(mailbox.mailbox_id, None)

    async def _pull(
        self,
        mailbox: Mailbox,
        batch: Batch,
        session: Session,
        came: Came,
    ) -> None:
        try:
            pulled = await pull_batch(
                self._lease,
                mailbox,
                batch,
                session,
                self._world.readers,
                self._world.pool,
                largest_bytes=self._world.settings.largest_message_bytes,
                release=self._world.release,
            )
        except (Garbled, Disconnected):
            stumbles = self._stumbles.get(mailbox.mailbox_id, 0)
            self._stumbles[mailbox.mailbox_id] = stumbles + 1
            raise
        if self._stumbles.get(mailbox.mailbox_id, 0) < STUMBLES:
            self._stumbles.pop(mailbox.mailbox_id, None)
        self._world.relay.wake(Lane.LIVE, Lane.FILL)
        await came(pulled, session)


async def _together(*works: Coroutine[None, None, bool]) -> list[bool]:
    """Do these at once; the first that fails ends the others, and its own error is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        return [task.result() for task in tasks]
    finally:
        await end(tasks)
