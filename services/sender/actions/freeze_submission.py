"""Somebody wants a message sent: from now on that is our duty."""

import asyncio
from datetime import UTC, datetime

from services.sender import store
from services.sender.domain.compose import Composed, Draft, Unsendable, compose, message_id_of
from services.sender.domain.submission import Addressee, Submission, after_cancel
from shared.bus import tell
from shared.contracts.submission import Fate, SendMessage, SubmissionState
from shared.db import Connection, Pool, in_transaction


class AccountUnknown(Exception):
    """The account's submission server was not told to us yet."""


async def freeze_submission(command: SendMessage, pool: Pool) -> None:
    """Compose the message, keep its bytes as they will be sent, and say that it waits.

    The submission's id makes a second time harmless. What cannot be sent has failed, and
    what belongs to a removed account is canceled; both are told. Raises AccountUnknown.
    """
    now = datetime.now(UTC)
    try:
        composed = await asyncio.to_thread(compose, _draft_of(command), now=now)
    except Unsendable as unsendable:
        submission, mime = _failed(command, unsendable, now), b""
    else:
        submission, mime = _queued(command, composed, now), composed.mime
    pieces = [
        mime[start : start + store.PIECE_BYTES] for start in range(0, len(mime), store.PIECE_BYTES)
    ]

    async def work(connection: Connection) -> None:
        removed = await store.account_is_removed(connection, command.tenant_id, command.account_id)
        if removed is None:
            raise AccountUnknown
        if removed:
            canceled = after_cancel(submission, reason="account_removed")
            await tell(connection, canceled.told())
        elif await store.put_submission(connection, submission, pieces):
            await tell(connection, submission.told())

    await in_transaction(pool, work)


def _draft_of(command: SendMessage) -> Draft:
    return Draft(
        submission_id=command.submission_id,
        sender=command.sender,
        to=command.to,
        cc=command.cc,
        bcc=command.bcc,
        subject=command.subject,
        text=command.text,
        html=command.html,
    )


def _queued(command: SendMessage, composed: Composed, now: datetime) -> Submission:
    return Submission(
        submission_id=command.submission_id,
        tenant_id=command.tenant_id,
        account_id=command.account_id,
        state=SubmissionState.QUEUED,
        revision=1,
        message_id=composed.message_id,
        sender=composed.sender,
        size_bytes=len(composed.mime),
        needs_smtputf8=composed.needs_smtputf8,
        attempts=0,
        first_attempt_at=None,
        due_at=now,
        reason=None,
        server_said=None,
        filed=False,
        fence=0,
        created_at=now,
        recipients=tuple(
            Addressee(number=number, email=email)
            for number, email in enumerate(composed.recipients)
        ),
    )


def _failed(command: SendMessage, unsendable: Unsendable, now: datetime) -> Submission:
    people = (*command.to, *command.cc, *command.bcc)
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
