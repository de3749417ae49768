"""Somebody wants a message sent: from now on that is our duty."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from services.sender import store
from services.sender.actions.composing import letter_of, needs_files
from services.sender.actions.room import Room
from services.sender.actions.taking import Due, Terms, take
from services.sender.domain.compose import (
    Composed,
    Unsendable,
    compose,
    envelope_of,
    message_id_of,
)
from services.sender.domain.submission import Addressee, Submission, after_cancel, after_restore
from services.sender.domain.telling import pages_of
from services.sender.domain.turns import Sender
from shared.bus import tell
from shared.contracts.mail import Address
from shared.contracts.submission import (
    Fate,
    InDoubt,
    SendMessage,
    SubmissionChanged,
    SubmissionState,
)
from shared.db import Connection, Grouping, Pool


class AccountUnknown(Exception):
    """The account's submission server was not told to us yet."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A submission to be kept, and whether there is room to attempt one of its account at once."""

    frozen: store.Frozen
    has_room: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """Whether its account is known, and what was taken in hand in the room that it had."""

    account_is_known: bool
    due: Due | None


# Where submissions are kept.
Freezing: TypeAlias = Grouping[Arrived, Kept]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is to be done next about a submission that was frozen."""

    gathers: bool  # its files
    waits: bool  # for its turn


# What is longer is composed beside, so that nothing else waits for it.
_SHORT_CHARACTERS = 64 * 1024


async def freeze_submission(
    command: SendMessage, freezing: Freezing, room: Room[Due] | None
) -> Standing:
    """Compose the message, keep its bytes as they will be sent, and say that it waits.

    Where there is room, and nobody else whose turn it is, it is taken in hand in the same
    transaction. The submission's id makes a second time harmless. What cannot be sent has failed,
    and what belongs to a removed account is canceled; both are told. Raises AccountUnknown.
    """
    now = datetime.now(UTC)
    gathers = needs_files(command)
    try:
        if gathers:
            composed = _to_come(command)
        else:
            composed = await _composed(command, max(now, _due_at(command) or now))
    except Unsendable as unsendable:
        submission, mime, gathers = _failed(command, unsendable, now), b"", False
    else:
        submission, mime = _waiting(command, composed, now), composed.mime
    frozen = store.Frozen(
        submission,
        store.pieces_of(mime),
        date_is_ours=command.raw is None,
        ignores_suppressions=command.ignore_suppressions,
        retries_in_doubt=command.in_doubt is InDoubt.RETRY,
        letter=command if gathers else None,
        meant_for=_due_at(command) or command.occurred_at,
    )
    if submission.state is not SubmissionState.QUEUED or gathers:
        room = None
    kept = await _kept(frozen, freezing, room)
    if not kept.account_is_known:
        raise AccountUnknown
    return Standing(gathers=gathers, waits=kept.due is None)


async def _kept(frozen: store.Frozen, freezing: Freezing, room: Room[Due] | None) -> Kept:
    account_id = frozen.submission.account_id
    if room is None or not room.enter(account_id):
        return await freezing.do(Arrived(frozen, has_room=False))
    begun = False
    try:
        kept = await freezing.do(Arrived(frozen, has_room=True))
        if kept.due is not None:
            room.begin(account_id, kept.due)
            begun = True
        return kept
    finally:
        if not begun:
            room.leave(account_id)


def freezing_in(pool: Pool, terms: Terms) -> Freezing:
    """Where submissions that come together are frozen together."""

    async def work(connection: Connection, arrived: Sequence[Arrived]) -> list[Kept]:
        known, told = await _put(connection, [one.frozen for one in arrived])
        room = Counter(one.frozen.sender for one in arrived if one.has_room)
        due: defaultdict[Sender, list[Due]] = defaultdict(list)
        if room:
            taken = await take(connection, room, terms)
            told = [*told, *taken.changes]
            for one in taken.due:
                due[one.account.sender].append(one)
        await tell(connection, *pages_of(told))
        return [
            Kept(
                is_known,
                due[sender].pop() if one.has_room and due[sender] else None,
            )
            for one, is_known in zip(arrived, known, strict=True)
            for sender in (one.frozen.sender,)
        ]

    return Grouping(pool, work)


async def _put(
    connection: Connection, frozen: Sequence[store.Frozen]
) -> tuple[list[bool], list[SubmissionChanged]]:
    """Keep these; of each, whether its account is known, and what is to be told."""
    removed = await store.accounts_removed(connection, {one.sender for one in frozen})
    restored_at = await store.restored_at(connection)
    if restored_at is not None:
        frozen = [_doubted(one, restored_at) for one in frozen]
    new = await store.put_submissions(
        connection, [one for one in frozen if removed.get(one.sender) is False]
    )
    told: list[SubmissionChanged] = []
    for one in frozen:
        if removed.get(one.sender):
            told.append(after_cancel(one.submission, reason="account_removed").told())
        elif one.submission.submission_id in new:
            new.remove(one.submission.submission_id)  # a command may be there twice
            told.append(one.submission.told())
            if one.letter is not None:
                await store.put_letter(connection, one.letter)
    return [one.sender in removed for one in frozen], told


def _doubted(frozen: store.Frozen, restored_at: datetime) -> store.Frozen:
    """A command from before a restore, which the platform of before may have obeyed since."""
    if frozen.meant_for > restored_at or frozen.submission.is_settled:
        return frozen
    return replace(frozen, submission=after_restore(frozen.submission))


async def _composed(command: SendMessage, sent_at: datetime) -> Composed:
    letter = letter_of(command)
    if len(command.text or "") + len(command.html or "") < _SHORT_CHARACTERS and not command.raw:
        return compose(letter, now=sent_at)
    return await asyncio.to_thread(compose, letter, now=sent_at)


def _to_come(command: SendMessage) -> Composed:
    """What is known of a message before its files are here; raises Unsendable."""
    envelope = envelope_of(_everybody(command))
    return Composed(
        message_id=message_id_of(command.submission_id, command.sender),
        sender=_storable(command.sender.email),
        recipients=tuple(address.spec for address in envelope),
        mime=b"",
        needs_smtputf8=False,
    )


def _due_at(command: SendMessage) -> datetime | None:
    """The later of the end of the time in which it can be undone, and when it is to be sent."""
    times = [time for time in (command.undo_until, command.send_at) if time is not None]
    return max(times, default=None)


def _everybody(command: SendMessage) -> tuple[Address, ...]:
    groups = (*command.to_groups, *command.cc_groups)
    members = (member for group in groups for member in group.members)
    return (*command.to, *command.cc, *members, *command.bcc)


def _waiting(command: SendMessage, composed: Composed, now: datetime) -> Submission:
    due_at = _due_at(command)
    state = SubmissionState.QUEUED
    if due_at is not None and due_at > now:
        held = command.undo_until is not None and due_at == command.undo_until
        state = SubmissionState.HELD if held else SubmissionState.SCHEDULED
    return Submission(
        submission_id=command.submission_id,
        tenant_id=command.tenant_id,
        account_id=command.account_id,
        state=state,
        revision=1,
        message_id=composed.message_id,
        sender=composed.sender,
        size_bytes=len(composed.mime),
        needs_smtputf8=composed.needs_smtputf8,
        attempts=0,
        first_attempt_at=None,
        due_at=max(due_at, now) if due_at is not None else now,
        reason=None,
        server_said=None,
        filed=False,
        fence=0,
        created_at=now,
        expires_at=command.expires_at,
        recipients=tuple(
            Addressee(number=number, email=email)
            for number, email in enumerate(composed.recipients)
        ),
    )


def _failed(command: SendMessage, unsendable: Unsendable, now: datetime) -> Submission:
    people = _everybody(command)
    return Submission(
        submission_id=command.submission_id,
        tenant_id=command.tenant_id,
        account_id=command.account_id,
        state=SubmissionState.FAILED,
        revision=1,
        message_id=message_id_of(command.submission_id, command.sender),
        sender=_storable(command.sender.email),
        size_bytes=0,
        needs_smtputf8=False,
        attempts=0,
        first_attempt_at=None,
        due_at=None,
        reason=unsendable.reason,
        server_said=None,
        filed=False,
        fence=0,
        created_at=now,
        recipients=tuple(
            Addressee(number=number, email=_storable(person.email), fate=Fate.REFUSED)
            for number, person in enumerate(people)
        ),
    )


def _storable(text: str) -> str:
    """What a person typed, without what a column cannot hold."""
    return "".join(character for character in text if character.isprintable())
