"""Who brings parts of messages from mail servers into the bucket, for those who open them.

An account has one courier at a time, with one connection, in the slot that is kept for the
`answer` role. One that has nothing to bring waits a while before it hangs up: of a message with
pictures in it each is asked for by itself. Where another replica has the slot, it may be bringing
the very same: that is seen in the bucket; and when it has no use for it, it hangs up for us.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import structlog

from services.sync.actions.fetch_part import NotToBeHad, fetch_part
from services.sync.actions.give_back_slot import give_back_slot
from services.sync.actions.refreshing import Refresher
from services.sync.actions.rest_account import rest_account
from services.sync.actions.sign_in import sign_in
from services.sync.actions.take_turn import Wait, take_turn
from services.sync.domain.budget import budget_of
from services.sync.domain.profile import choose
from services.sync.domain.reason import Reason
from services.sync.imap.errors import Disconnected, Refused
from services.sync.imap.session import Session
from services.sync.metrics import PARTS
from services.sync.settings import Settings
from services.sync.store import accounts, standing
from services.sync.store.accounts import Account
from services.sync.store.connections import ANSWER, Slot
from services.sync.store.whereabouts import Whereabouts
from services.sync.workers.meter import Meter
from services.sync.workers.trouble import HINDRANCES, trouble_of
from shared.bus import Bucket, BucketAway, Bus
from shared.bus.bucket import Key
from shared.contracts.attachment import PartAnswer, SlotWanted
from shared.contracts.envelope import Problem
from shared.db import Pool, is_away
from shared.seal import OpeningKeys
from shared.telemetry import end

log = structlog.get_logger()

#: Within the asker's patience; who is told "not yet" asks again.
_ANSWER_SECONDS = 20.0
_IDLE_SECONDS = 15.0
_SLOT_PATIENCE_SECONDS = 30.0
_SLOT_LOOK_SECONDS = 0.5
_REST_PATIENCE_SECONDS = 3.0
_SOON_SECONDS = 5.0
_COMMANDS = 5  # of an errand, about: to open the mailbox, to find the part, to read it


class Errand:
    """One part that is to be in the bucket."""

    def __init__(self, key: Key, where: Whereabouts) -> None:
        self.key = key
        self.where = where
        self.pieces = 0
        self._answer: PartAnswer | None = None  # when all is said
        self._stirred = asyncio.Event()

    def came(self, pieces: int) -> None:
        """So many pieces are there."""
        self.pieces = pieces
        self._stirred.set()

    def ends(self, answer: PartAnswer) -> None:
        """All of it is there, or it does not come."""
        self._answer = answer
        self._stirred.set()

    async def reached(self, piece: int | None) -> PartAnswer:
        """Wait for this piece, None: for all; or for the reason why it does not come."""
        while self._answer is None:
            if piece is not None and self.pieces > piece:
                return PartAnswer(ready=True)
            self._stirred.clear()
            await self._stirred.wait()
        return self._answer


@dataclass(eq=False)
class _Desk:
    """What is wanted of one account."""

    account_id: UUID
    waiting: deque[Errand]  # the first is under way
    came: asyncio.Event = field(default_factory=asyncio.Event)  # more is wanted, or we are spared
    connected: bool = False
    spared: bool = False  # another replica waits for the connection


class Couriers:
    """The couriers of one process, by account."""

    def __init__(
        self,
        *,
        settings: Settings,
        keys: OpeningKeys,
        pool: Pool,
        refresher: Refresher,
        replica_id: UUID,
        bus: Bus,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._pool = pool
        self._refresher = refresher
        self._replica_id = replica_id
        self._bus = bus
        self._bucket = Bucket(bus)
        self._errands: dict[Key, Errand] = {}
        self._desks: dict[UUID, _Desk] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def bring(self, where: Whereabouts, part: int, piece: int | None) -> PartAnswer:
        """See to it that a piece of this part, None: all of it, is in the bucket."""
        key = Key(where.account_id, where.message_id, part)
        try:
            if key not in self._errands and await self._is_there(key, piece):
                return PartAnswer(ready=True)
        except BucketAway:
            return _refusal("temporarily_unavailable")
        errand = self._errands.get(key)
        if errand is None:
            errand = self._errands[key] = Errand(key, where)
            self._give(errand)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await errand.reached(piece)
        except TimeoutError:
            return PartAnswer()

    async def forget(self, account_id: UUID) -> None:
        """Keep nothing of this account in the bucket; raises BucketAway."""
        await self._bucket.forget(account_id)

    def spare(self, account_id: UUID) -> None:
        """Another replica wants the account's connection: hang up when it is of no use."""
        desk = self._desks.get(account_id)
        if desk is not None and desk.connected:
            desk.spared = True
            desk.came.set()

    async def close(self) -> None:
        """Hang up everywhere."""
        await end(list(self._tasks))

    async def _is_there(self, key: Key, piece: int | None) -> bool:
        """Brought meanwhile, by this process or another."""
        if piece is None:
            whole = await self._bucket.whole(key)
            if whole is None or not whole.pieces:
                return whole is not None
            piece = whole.pieces - 1  # told after the whole: who brought it may have ended between
        return await self._bucket.piece(key, piece) is not None

    def _give(self, errand: Errand) -> None:
        account_id = errand.key.account_id
        desk = self._desks.get(account_id)
        if desk is not None:
            desk.waiting.append(errand)
            desk.came.set()
            return
        desk = self._desks[account_id] = _Desk(account_id, deque([errand]))
        task = asyncio.create_task(self._serve(desk), name=f"courier {account_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _finish(self, desk: _Desk, errand: Errand, answer: PartAnswer) -> None:
        desk.waiting.remove(errand)
        self._errands.pop(errand.key, None)
        PARTS.labels("ok" if answer.problem is None else "refused").inc()
        errand.ends(answer)

    def _give_up(self, desk: _Desk, code: str, detail: str = "", after: float = 0.0) -> None:
        """Nothing of what is wanted can be brought now."""
        for errand in list(desk.waiting):
            self._finish(desk, errand, _refusal(code, detail, after))

    # -- one account ---------------------------------------------------------------------------

    async def _serve(self, desk: _Desk) -> None:
        try:
            while desk.waiting:
                await self._visit(desk)
        except Exception as error:
            # Whoever waits is told that it did not work; who asks next begins anew.
            if is_away(error):
                log.warning("nothing brought", error=str(error))
            else:
                log.exception("courier failed", account_id=str(desk.account_id))
        finally:
            self._give_up(desk, "temporarily_unavailable")
            del self._desks[desk.account_id]

    async def _visit(self, desk: _Desk) -> None:
        """One connection to the account's server; or the reason why there is none."""
        async with self._pool.acquire() as connection:
            account = await accounts.account(connection, desk.account_id)
            paused = await standing.is_paused(connection, desk.account_id)
        if account is None:
            self._give_up(desk, "not_found")
            return
        if not self._settings.enabled:
            self._give_up(desk, "account_unreachable")
            return
        if paused:
            self._give_up(desk, "account_paused", Reason.PAUSED_BY_OWNER)
            return
        turn = await self._turn(account, desk)
        if isinstance(turn, Wait):
            busy = turn.reason == Reason.TOO_MANY_CONNECTIONS
            after = (turn.until - datetime.now(UTC)).total_seconds()
            code = "account_busy" if busy else "account_unreachable"
            self._give_up(desk, code, turn.reason, after)
            return
        signed_in = False
        try:
            async with sign_in(
                account, self._settings, self._keys, self._pool, self._refresher
            ) as session:
                signed_in = desk.connected = True
                await self._bring_all(desk, account, session)
        except HINDRANCES as error:
            trouble = trouble_of(error, account.endpoint.host)
            after = _SOON_SECONDS
            if not signed_in or trouble.limit is not None:
                rested = await rest_account(account, trouble, turn, self._settings, self._pool)
                after = rested.seconds
            log.info(
                "parts not brought", account_id=str(account.account_id), reason=trouble.reason.value
            )
            self._give_up(desk, "account_unreachable", trouble.reason, after)
        finally:
            desk.connected = desk.spared = False
            await give_back_slot(turn, self._pool)

    async def _turn(self, account: Account, desk: _Desk) -> Slot | Wait:
        """A slot; a short rest is waited for, as is another replica that has the slot.

        What that replica brings meanwhile needs no bringing.
        """
        patience = time.monotonic() + _SLOT_PATIENCE_SECONDS
        while True:
            turn = await take_turn(
                account, ANSWER, self._replica_id, self._settings, self._pool, alone=True
            )
            if isinstance(turn, Slot) or time.monotonic() > patience:
                return turn
            rests = (turn.until - datetime.now(UTC)).total_seconds()
            if turn.reason != Reason.TOO_MANY_CONNECTIONS and rests > _REST_PATIENCE_SECONDS:
                return turn
            for errand in list(desk.waiting):
                if await self._is_there(errand.key, None):
                    self._finish(desk, errand, PartAnswer(ready=True))
            if not desk.waiting:
                return turn
            await self._bus.hint(SlotWanted(account_id=desk.account_id, only=turn.for_the_only))
            # The end of a rest, and of another process's connection, are no events here.
            await asyncio.sleep(_SLOT_LOOK_SECONDS)

    async def _bring_all(self, desk: _Desk, account: Account, session: Session) -> None:
        """Bring what is wanted until nothing was for a while; raises ImapError."""
        budget = budget_of(
            choose(account.endpoint.host),
            connections=self._settings.connections_per_account,
        )
        meter = Meter(account, budget, self._pool)
        used = False
        while (errand := await self._next(desk)) is not None:
            try:
                whole = await fetch_part(
                    session, errand.where, errand.key, self._bucket, errand.came
                )
            except NotToBeHad as error:
                self._finish(desk, errand, _refusal(error.code))
            except BucketAway:
                self._finish(desk, errand, _refusal("temporarily_unavailable"))
            except Refused as error:
                if trouble_of(error, account.endpoint.host).limit is not None:
                    raise
                self._finish(desk, errand, _refusal("account_unreachable", error.text))
            except Disconnected:
                if not used or errand.pieces:
                    raise
                return  # it had ended while there was nothing to say: once more, with a new one
            else:
                meter.count(bytes=whole.size_bytes, commands=_COMMANDS)
                self._finish(desk, errand, PartAnswer(ready=True))
                await meter.write(now=True)
            used = True

    async def _next(self, desk: _Desk) -> Errand | None:
        """What to bring now; None when nothing was wanted for a while, or another waits."""
        while not desk.waiting:
            if desk.spared:
                return None
            desk.came.clear()
            try:
                async with asyncio.timeout(_IDLE_SECONDS):
                    await desk.came.wait()
            except TimeoutError:
                return None
        return desk.waiting[0]


def _refusal(code: str, detail: str = "", after: float = 0.0) -> PartAnswer:
    return PartAnswer(
        problem=Problem(code=code, detail=detail),
        retry_after_seconds=max(1, round(after or _SOON_SECONDS)),
    )
