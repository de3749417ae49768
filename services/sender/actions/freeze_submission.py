"""Somebody wants a message sent: from now on that is our duty."""

import asyncio
from datetime import UTC, datetime

from services.sender import store
from services.sender.actions.composing import letter_of, needs_files
from services.sender.domain.compose import (
    Composed,
    Unsendable,
    compose,
    envelope_of,
    message_id_of,
)
from services.sender.domain.submission import Addressee, Submission, after_cancel
from shared.bus import tell
from shared.contracts.mail import Address
from shared.contracts.submission import Fate, SendMessage, SubmissionState
from shared.db import Connection, Pool, in_transaction


class AccountUnknown(Exception):
    """The account's submission server was not told to us yet."""


async def freeze_submission(command: SendMessage, pool: Pool) -> bool:
    """Compose the message, keep its bytes as they will be sent, and say that it waits.

    The submission's id makes a second time harmless. What cannot be sent has failed, and
    what belongs to a removed account is canceled; both are told. True when its files have to
    be gathered first. Raises AccountUnknown.
    """
    now = datetime.now(UTC)
    gathers = needs_files(command)
    try:
        if gathers:
            composed = _to_come(command)
        else:
            composed = await asyncio.to_thread(
                compose, letter_of(command), now=max(now, _due_at(command) or now)
            )
    except Unsendable as unsendable:
        submission, mime, gathers = _failed(command, unsendable, now), b"", False
    else:
        submission, mime = _waiting(command, composed, now), composed.mime
    pieces = store.pieces_of(mime)

    async def work(connection: Connection) -> None:
        removed = await store.account_is_removed(connection, command.tenant_id, command.account_id)
        if removed is None:
            raise AccountUnknown
        if removed:
            canceled = after_cancel(submission, reason="account_removed")
            await tell(connection, canceled.told())
        elif await store.put_submission(
            connection, submission, pieces, date_is_ours=command.raw is None
        ):
            if gathers:
                await store.put_letter(connection, command)
            await tell(connection, submission.told())

    await in_transaction(pool, work)
    return gathers


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
