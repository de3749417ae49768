"""What people want done on an account's server, in the order in which they wanted it."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import structlog
from msgspec import Struct

from services.sync.actions.carry_mailbox import NoSuch, carry_mailbox
from services.sync.actions.carry_marks import carry_marks
from services.sync.actions.carry_move import can_move, carry_copy, carry_move
from services.sync.actions.carry_removal import carry_removal
from services.sync.actions.find_landed import find_landed
from services.sync.actions.settle_intent import settle_intent
from services.sync.domain.intents import has_copied
from services.sync.imap.errors import ImapError, NoSuchMailbox, Refused, Unavailable
from services.sync.imap.session import Session
from services.sync.imap.transfer import Landed
from services.sync.metrics import INTENTS
from services.sync.store import intents, leases, mailboxes
from services.sync.store.intents import Copies, Intent, Where
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.world import World
from shared.contracts.intent import (
    CarryIntent,
    Copy,
    Destroy,
    Exempt,
    Label,
    Mark,
    Move,
    Outcome,
    Step,
)

log = structlog.get_logger()

_TRIES = 4  # rounds that may pass before a server that says "not now" is taken at its word

Look = Callable[[Mailbox], Awaitable[None]]


class _NotYet(Exception):
    """The intent has to wait for a round over all mailboxes."""


class _Impossible(Exception):
    """The intent, or what is left of it, will not be carried out."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Carried(Struct, frozen=True, kw_only=True):
    """What carrying out came to."""

    anything: bool = False  # the open mailbox is another one now
    round_wanted: bool = False


class Carrier:
    """Carries out the intents of one account."""

    def __init__(self, lease: Lease, world: World) -> None:
        self._lease = lease
        self._world = world
        self._pool = world.pool
        self._tries: defaultdict[UUID, int] = defaultdict(int)

    async def due_in(self) -> float | None:
        """In how many seconds the next intent is due; None when none waits."""
        async with self._pool.acquire() as connection:
            return await intents.due_in(connection, self._lease.account_id)

    async def carry(self, session: Session, look: Look) -> Carried:
        """Carry out what is due, one after the other; `look` brings a mailbox up to date."""
        carried = Carried()
        while True:
            async with self._pool.acquire() as connection:
                intent = await intents.next_one(connection, self._lease.account_id)
            if intent is None:
                return carried
            carried = Carried(anything=True, round_wanted=carried.round_wanted)
            try:
                round_wanted = await self._carry_one(intent, session, look)
            except _NotYet:
                return Carried(anything=True, round_wanted=True)
            carried = Carried(anything=True, round_wanted=carried.round_wanted or round_wanted)

    async def _carry_one(self, intent: Intent, session: Session, look: Look) -> bool:
        """Whether a round over all mailboxes is wanted after it."""
        command = intent.command
        async with self._pool.acquire() as connection, connection.transaction():
            await leases.hold(connection, self._lease)
            if not await intents.begin(connection, command.intent_id):
                return False
        exempt: list[Exempt] = []
        reason: str | None = None
        outcome, said = Outcome.DONE, None
        try:
            if command.mailbox is not None:
                await carry_mailbox(self._lease, command.mailbox, session, self._pool)
            for n, step in enumerate(command.steps):
                left = _without(step, exempt)
                reason = await self._step(intent, n, left, session, look, exempt) or reason
            if command.undoes is not None:
                reason = await self._take_copies_back(command, session) or reason
        except (_Impossible, NoSuch) as impossible:
            outcome = Outcome.REFUSED
            reason = impossible.reason if isinstance(impossible, _Impossible) else "mailbox_gone"
        except Refused as refused:
            if isinstance(refused, Unavailable) and refused.code != "OVERQUOTA":
                self._wait(command)  # raises _NotYet unless that was tried often enough
            outcome, said = Outcome.REFUSED, refused.text
            reason = _why(refused)
        except ImapError:
            # What ends the connection each time it is tried is not tried for ever.
            self._tries[command.intent_id] += 1
            if self._tries[command.intent_id] >= _TRIES:
                await self._settle(command, Outcome.REFUSED, "connection_lost")
            raise
        await self._settle(command, outcome, reason, said, exempt)
        return command.mailbox is not None

    async def _settle(
        self,
        command: CarryIntent,
        outcome: Outcome,
        reason: str | None,
        said: str | None = None,
        exempt: Sequence[Exempt] = (),
    ) -> None:
        await settle_intent(
            self._lease,
            command,
            outcome,
            self._pool,
            reason=reason,
            server_said=said,
            exempt=exempt,
        )
        self._tries.pop(command.intent_id, None)
        self._world.relay.wake()
        INTENTS.labels(outcome.value).inc()

    def _wait(self, command: CarryIntent) -> None:
        self._tries[command.intent_id] += 1
        if self._tries[command.intent_id] < _TRIES:
            raise _NotYet

    # -- messages ------------------------------------------------------------------------------

    async def _step(
        self,
        intent: Intent,
        n: int,
        step: Step,
        session: Session,
        look: Look,
        exempt: list[Exempt],
    ) -> str | None:
        found = await self._where(step.message_ids)
        if any(one.uid is None for one in found.values()):
            self._wait(intent.command)  # it may turn up elsewhere
        groups: defaultdict[UUID, list[Where]] = defaultdict(list)
        for message_id in step.message_ids:
            row = found.get(message_id)
            if row is None or row.mailbox_id is None or row.uid is None:
                exempt.append(_gone(message_id))
            else:
                groups[row.mailbox_id].append(row)
        reason: str | None = None
        for mailbox_id, rows in groups.items():
            mailbox = await self._mailbox(mailbox_id)
            try:
                reason = (
                    await self._group(intent, n, step, mailbox, rows, session, look, exempt)
                    or reason
                )
            except Refused as refused:
                if len(groups) == 1 or isinstance(refused, Unavailable):
                    raise
                # What one mailbox does not allow, another may.
                exempt += [
                    Exempt(message_id=row.message_id, outcome=Outcome.REFUSED, reason=_why(refused))
                    for row in rows
                ]
        return reason

    async def _group(
        self,
        intent: Intent,
        n: int,
        step: Step,
        mailbox: Mailbox,
        rows: Sequence[Where],
        session: Session,
        look: Look,
        exempt: list[Exempt],
    ) -> str | None:
        """Carry out a step for the messages of one mailbox; what is to be said of it."""
        match step.change:
            case Move(mailbox_id=mailbox_id) if mailbox_id == mailbox.mailbox_id:
                return None
            case Move(mailbox_id=mailbox_id) | Copy(mailbox_id=mailbox_id):
                target = await self._mailbox(mailbox_id)
            case Mark() | Label() | Destroy():
                target = mailbox
        await self._open(intent.command, mailbox, session)
        match step.change:
            case Mark() | Label() as change:
                exempt += await carry_marks(self._lease, mailbox, change, rows, session, self._pool)
                return None
            case Destroy():
                removed = await carry_removal(self._lease, mailbox, rows, session, self._pool)
                exempt += removed.exempt
                return removed.reason
            case Copy():
                landed = await self._landed(intent, n, target, rows, session)
                if left := [row for row in rows if row.uid not in landed.uids]:
                    await self._open(intent.command, mailbox, session)
                    landed = landed.and_then(await carry_copy(target, left, session))
                await self._note_copies(
                    intent, _group_key(n, target, rows), target, landed, session
                )
                await look(target)
                return None
            case Move():
                landed = Landed()
                if not can_move(session):
                    landed = await self._landed(intent, n, target, rows, session)
                    await self._open(intent.command, mailbox, session)
                moved = await carry_move(self._lease, target, rows, landed, session, self._pool)
                if missed := [row for row in rows if row.uid not in moved.placed]:
                    await look(mailbox)
                    await look(target)
                    exempt += await self._not_in(target, missed)
                return moved.reason

    async def _landed(
        self, intent: Intent, n: int, target: Mailbox, rows: Sequence[Where], session: Session
    ) -> Landed:
        """Which copies were made before we were interrupted: COPY must not be repeated.

        That is what is above the UIDNEXT noted before the first try, and is one of these.
        """
        key = _group_key(n, target, rows)
        noted = intent.progress.get(key)
        if noted is not None:
            return await find_landed(target, rows, noted, session)
        counters = (await session.status([target.raw_name])).get(target.raw_name)
        if counters is None:
            raise _Impossible("mailbox_gone")
        progress = {**intent.progress, key: counters.uidnext or 1}
        async with self._pool.acquire() as connection, connection.transaction():
            await leases.hold(connection, self._lease)
            await intents.put_progress(connection, intent.command.intent_id, progress)
        return Landed()

    async def _note_copies(
        self, intent: Intent, key: str, target: Mailbox, landed: Landed, session: Session
    ) -> None:
        """Remember what undoing would remove. On Gmail a copy is the message itself."""
        if landed.uidvalidity is None or not landed.uids or "X-GM-EXT-1" in session.capabilities:
            return
        copies = Copies(
            mailbox_id=target.mailbox_id,
            uidvalidity=landed.uidvalidity,
            uids=tuple(sorted(landed.uids.values())),
        )
        async with self._pool.acquire() as connection, connection.transaction():
            await leases.hold(connection, self._lease)
            await intents.put_copies(connection, intent.command.intent_id, key, copies)

    async def _take_copies_back(self, command: CarryIntent, session: Session) -> str | None:
        """Remove what the undone intent copied and is still there; what is to be said of it."""
        assert command.undoes is not None
        account_id = self._lease.account_id
        async with self._pool.acquire() as connection:
            undone = await intents.command(connection, account_id, command.undoes)
            noted = await intents.copies(connection, account_id, command.undoes)
        if undone is None or not has_copied(undone):
            return None
        if not noted:  # the server did not say where they are, or has no copies
            raise _Impossible("already_carried_out")
        reason: str | None = None
        for copies in noted:
            mailbox = await self._mailbox(copies.mailbox_id)
            if mailbox.uidvalidity != copies.uidvalidity:
                raise _Impossible("mailbox_renumbered")
            async with self._pool.acquire() as connection:
                rows = await intents.there(connection, copies)
            if not rows:
                continue
            await self._open(command, mailbox, session)
            removed = await carry_removal(self._lease, mailbox, rows, session, self._pool)
            if any(one.outcome is Outcome.REFUSED for one in removed.exempt):
                raise _Impossible("not_removed")
            reason = removed.reason or reason
        return reason

    async def _not_in(self, target: Mailbox, rows: Sequence[Where]) -> list[Exempt]:
        """Those of these that did not get there, as far as two looks can tell."""
        now = await self._where([row.message_id for row in rows])
        exempt: list[Exempt] = []
        for row in rows:
            there = now.get(row.message_id)
            if there is None or there.uid is None:
                exempt.append(_gone(row.message_id))
            elif there.mailbox_id == row.mailbox_id:
                exempt.append(
                    Exempt(message_id=row.message_id, outcome=Outcome.REFUSED, reason="not_moved")
                )
            elif there.mailbox_id != target.mailbox_id:
                exempt.append(
                    Exempt(
                        message_id=row.message_id,
                        outcome=Outcome.SUPERSEDED,
                        reason="changed_on_server",
                    )
                )
        return exempt

    async def _open(self, command: CarryIntent, mailbox: Mailbox, session: Session) -> None:
        """Open the mailbox to change what is in it."""
        try:
            selected = await session.select(mailbox.raw_name, readonly=False)
        except NoSuchMailbox:
            self._wait(command)  # the round finds what became of it
            raise
        if selected.readonly:
            raise _Impossible("mailbox_read_only")
        if selected.uidvalidity != mailbox.uidvalidity:
            self._wait(command)
            raise _Impossible("mailbox_renumbered")

    async def _mailbox(self, mailbox_id: UUID) -> Mailbox:
        async with self._pool.acquire() as connection:
            try:
                mailbox = await mailboxes.mailbox(connection, mailbox_id)
            except LookupError:
                raise _Impossible("mailbox_gone") from None
        if mailbox.account_id != self._lease.account_id or mailbox.gone_at is not None:
            raise _Impossible("mailbox_gone")
        return mailbox

    async def _where(self, message_ids: Sequence[UUID]) -> dict[UUID, Where]:
        async with self._pool.acquire() as connection:
            return await intents.where(connection, self._lease.account_id, message_ids)


def _group_key(n: int, target: Mailbox, rows: Sequence[Where]) -> str:
    """What names a step's messages of one mailbox."""
    return f"{n}:{target.mailbox_id}:{rows[0].mailbox_id}"


def _without(step: Step, exempt: Sequence[Exempt]) -> Step:
    """The step for those that are not exempt already."""
    gone = {one.message_id for one in exempt}
    return Step(
        change=step.change,
        message_ids=tuple(one for one in step.message_ids if one not in gone),
    )


def _gone(message_id: UUID) -> Exempt:
    return Exempt(message_id=message_id, outcome=Outcome.SUPERSEDED, reason="message_gone")


def _why(refused: Refused) -> str:
    """A stable code for a refusal (RFC 5530 §3)."""
    return {
        "NOPERM": "not_permitted",
        "OVERQUOTA": "over_quota",
        "LIMIT": "limit_reached",
        "ALREADYEXISTS": "already_exists",
        "HASCHILDREN": "has_children",
        "CANNOT": "not_possible",
        "NONEXISTENT": "mailbox_gone",
        "TRYCREATE": "mailbox_gone",
    }.get(refused.code or "", "server_refused")
