"""Submissions: shown at once, and handed to sender."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct, structs
from uuid_utils.compat import uuid7

from services.api.actions.composing import message_of
from services.api.domain import logbook
from services.api.domain.identities import Identity
from services.api.domain.logbook import Entry
from services.api.domain.refusals import KeyReused, NotFound, Refused, TooLong
from services.api.domain.writing import Written
from services.api.store import accounts, identities, quotas, submissions, uploads
from services.api.store.accounts import Account
from services.api.store.quotas import Counted, Room
from services.api.store.submissions import Addressed, NewSubmission, ShownSubmission
from shared.bus import TooLarge, tell
from shared.contracts.envelope import Caller, Command
from shared.contracts.submission import InDoubt, SendMessage, SendMessages, SubmissionState
from shared.db import Connection


class Outgoing(Struct, frozen=True, kw_only=True):
    """A message that somebody wrote, and when it is to go."""

    account_id: UUID
    written: Written
    created_by: UUID  # the person
    digest: bytes  # of the whole request
    idempotency_key: str | None = None
    undo_until: datetime | None = None
    ignore_suppressions: bool = False
    in_doubt: InDoubt | None = None  # None: as the account says
    send_at: datetime | None = None
    expires_at: datetime | None = None
    actor: str | None = None  # whom the log names, where many are sent in one transaction

    @property
    def due_at(self) -> datetime | None:
        """When it is sent, at the earliest; None: at once."""
        return max(filter(None, (self.undo_until, self.send_at)), default=None)


#: The submission that a message became, or why it became none.
Submitted: TypeAlias = ShownSubmission | Refused


async def submit(
    connection: Connection, caller: Caller, outgoing: Sequence[Outgoing], now: datetime
) -> tuple[list[Submitted], list[Entry]]:
    """The submissions, and what the log has to say; each as if it were alone.

    With a key that was used before it is the one made then. Refused with NotFound, KeyReused,
    SenderNotAllowed, QuotaReached; raises TooLong.
    """
    tenant_id = caller.tenant_id
    held = await accounts.hold_existing(connection, tenant_id, {one.account_id for one in outgoing})
    ours = {
        account_id: (account, await identities.of_account(connection, tenant_id, account))
        for account_id, account in held.items()
    }
    room = await quotas.room_for(connection, tenant_id, Counted.SENDS)
    submitted: dict[int, Submitted] = {}
    commands: dict[int, SendMessage] = {}
    for number, one in enumerate(outgoing):
        try:
            earlier = await repeated(connection, caller, one)
            if earlier is not None:
                submitted[number] = earlier
                continue
            commands[number] = await _command(connection, caller, one, ours, room, len(commands))
        except Refused as refused:
            submitted[number] = refused
    new = {number: _new(outgoing[number], command, now) for number, command in commands.items()}
    made = await submissions.add(connection, tenant_id, list(new.values())) if new else {}
    entries: list[Entry] = []
    told: list[SendMessage] = []
    for number, command in commands.items():
        one, kept = outgoing[number], made.get(command.submission_id)
        if kept is None:
            earlier = await repeated(connection, caller, one)
            assert earlier is not None, "somebody used the key at the same moment"
            submitted[number] = earlier
            continue
        submitted[number] = kept
        if files := [each.upload_id for each in (*command.enclosures, command.raw) if each]:
            await uploads.use(connection, tenant_id, one.created_by, files, kept.submission_id)
        told.append(command)
        entries.append(_created(kept, one, command, now, tenant_id))
    try:
        await tell(connection, *_pages_of(told, tenant_id))
    except TooLarge:
        raise TooLong from None
    return [submitted[number] for number in range(len(outgoing))], entries


async def repeated(
    connection: Connection, caller: Caller, outgoing: Outgoing
) -> ShownSubmission | None:
    """The submission that this request's key made before; raises KeyReused."""
    if outgoing.idempotency_key is None:
        return None
    earlier = await submissions.by_key(
        connection, caller.tenant_id, outgoing.created_by, outgoing.idempotency_key
    )
    if earlier is not None and earlier.request_digest != outgoing.digest:
        raise KeyReused
    return earlier


async def _command(
    connection: Connection,
    caller: Caller,
    outgoing: Outgoing,
    ours: dict[UUID, tuple[Account, list[Identity]]],
    room: Room,
    before: int,
) -> SendMessage:
    """What sender is told to send, if there may be that many; raises Refused."""
    if outgoing.account_id not in ours:
        raise NotFound("There is no such account.", pointers=("/account_id",))
    account, known = ours[outgoing.account_id]
    room.refuse_beyond(before + 1)
    message = await message_of(
        connection,
        caller,
        outgoing.created_by,
        account,
        known,
        outgoing.written,
        submission_id=uuid7(),
    )
    return structs.replace(
        message,
        undo_until=outgoing.undo_until,
        ignore_suppressions=outgoing.ignore_suppressions,
        in_doubt=outgoing.in_doubt or InDoubt(account.in_doubt),
        send_at=outgoing.send_at,
        expires_at=outgoing.expires_at,
    )


def _new(outgoing: Outgoing, command: SendMessage, now: datetime) -> NewSubmission:
    written = outgoing.written
    return NewSubmission(
        submission_id=command.submission_id,
        account_id=outgoing.account_id,
        created_by=outgoing.created_by,
        created_at=now,
        subject=written.subject,
        addressed=Addressed(
            to=written.to,
            cc=written.cc,
            bcc=written.bcc,
            to_groups=written.to_groups,
            cc_groups=written.cc_groups,
        ),
        sender=command.sender,
        state=_first_state(outgoing, now).value,
        send_at=outgoing.due_at,
        expires_at=outgoing.expires_at,
        answers=written.in_reply_to,
        forwards=written.forward_of,
        idempotency_key=outgoing.idempotency_key,
        request_digest=outgoing.digest,
    )


def _pages_of(commands: Sequence[SendMessage], tenant_id: UUID) -> list[Command]:
    """The commands as they travel: what is short goes together."""
    told: list[Command] = []
    page: list[SendMessage] = []
    characters = 0
    for command in (*commands, None):
        more = len((command.text or "") + (command.html or "")) if command else 0
        if page and (command is None or characters + more > SendMessages.MOST_CHARACTERS):
            told.append(
                SendMessages(tenant_id=tenant_id, messages=tuple(page)) if page[1:] else page[0]
            )
            page, characters = [], 0
        if command is not None:
            page.append(command)
            characters += more
    return told


def _created(
    kept: ShownSubmission, outgoing: Outgoing, command: SendMessage, now: datetime, tenant_id: UUID
) -> Entry:
    entry = logbook.of_submission(
        "created",
        tenant_id=tenant_id,
        account_id=kept.account_id,
        submission_id=kept.submission_id,
        event_id=command.event_id,
        occurred_at=now,
        more={"state": kept.state, "subject": kept.subject[:300]},
    )
    return replace(entry, actor=outgoing.actor)


def _first_state(outgoing: Outgoing, now: datetime) -> SubmissionState:
    due_at = outgoing.due_at
    if due_at is None or due_at <= now:
        return SubmissionState.QUEUED
    return SubmissionState.HELD if due_at == outgoing.undo_until else SubmissionState.SCHEDULED
