"""Transactions of many at a time: what wants to commit at the same moment commits together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from msgspec import structs

from shared.contracts.envelope import Caller
from shared.db.absence import is_away
from shared.db.pool import Connection, Pool
from shared.db.transactions import in_transaction, tenant_work

T = TypeVar("T")
R = TypeVar("R")

_MOST = 64
# One transaction follows the end of another after this time, so that under load there are few, of
# many each.
_BETWEEN_SECONDS = 0.01


class Grouping(Generic[T, R]):
    """Does the work of many in one transaction: one commit, and not one for each.

    Who comes alone does not wait for company. Who comes while a transaction runs, or a moment
    after it began, goes into the next one, with all who came in that time. What fails together
    is done again one by one, so that only the guilty one fails. Who is cancelled while waiting
    does not take its work back: it may be done all the same.
    """

    def __init__(
        self,
        pool: Pool,
        work: Callable[[Connection, Sequence[T]], Awaitable[Sequence[R]]],
        *,
        on_behalf_of: Caller | None = None,
        at_rest: Callable[[], object] | None = None,  # called when there was nothing for a while
    ) -> None:
        self._pool = pool
        self._work = work
        self._caller = on_behalf_of
        self._at_rest = at_rest
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def do(self, item: T) -> R:
        """Have this done; the result once it is committed."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="grouped transactions")
        return await done

    async def _run(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._together(together)
                if len(self._waiting) < _MOST:
                    await asyncio.sleep(_BETWEEN_SECONDS)
        finally:
            self._running = None
            if self._at_rest is not None:
                self._at_rest()
            for _, done in self._waiting:  # only where we are ended ourselves
                done.cancel()

    async def _together(self, waiting: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        items = [item for item, _ in waiting]
        try:
            results = await self._in_transaction(items)
        except asyncio.CancelledError:
            for _, done in waiting:
                done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - raised where it was asked for
            if len(waiting) > 1 and not is_away(error):
                for one in waiting:
                    await self._together([one])
                return
            for _, done in waiting:
                if not done.done():
                    done.set_exception(error)
        else:
            for (_, done), result in zip(waiting, results, strict=True):
                if not done.done():
                    done.set_result(result)

    async def _in_transaction(self, items: Sequence[T]) -> Sequence[R]:
        def work(connection: Connection) -> Awaitable[Sequence[R]]:
            return self._work(connection, items)

        if self._caller is None:
            return await in_transaction(self._pool, work)
        return await tenant_work(self._pool, self._caller, work)


class CallersGrouping(Generic[T, R]):
    """Groups what the same caller asks for at the same time: each transaction sees what they may.

    Requests are told apart no more in it: what a request's id is written down for says it itself.
    """

    def __init__(
        self, pool: Pool, work: Callable[[Connection, Caller, Sequence[T]], Awaitable[Sequence[R]]]
    ) -> None:
        self._pool = pool
        self._work = work
        self._of: dict[Caller, Grouping[T, R]] = {}

    async def do(self, caller: Caller, item: T) -> R:
        """Have this done on behalf of the caller; the result once it is committed."""
        who = structs.replace(caller, request_id=None)
        grouping = self._of.get(who)
        if grouping is None:
            grouping = self._of[who] = Grouping(
                self._pool,
                lambda c, items: self._work(c, who, items),
                on_behalf_of=who,
                at_rest=lambda: self._of.pop(who, None),
            )
        return await grouping.do(item)
