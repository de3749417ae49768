"""A submission: shown at once, and handed to sender."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct, structs
from uuid_utils.compat import uuid7

from services.api.actions.composing import message_of
from services.api.domain import logbook
from services.api.domain.logbook import Entry
from services.api.domain.refusals import KeyReused, NotFound, TooLong
from services.api.domain.writing import Written
from services.api.store import accounts, submissions, uploads
from services.api.store.quotas import Counted, refuse_beyond
from services.api.store.submissions import Addressed, NewSubmission, ShownSubmission
from shared.bus import TooLarge, tell
from shared.contracts.envelope import Caller
from shared.contracts.submission import SubmissionState
from shared.db import Connection


class Outgoing(Struct, frozen=True, kw_only=True):
    """A message that somebody wrote, and when it is to go."""

    account_id: UUID
    written: Written
    digest: bytes  # of the whole request
    idempotency_key: str | None = None
    undo_until: datetime | None = None
    ignore_suppressions: bool = False
    send_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """When it is sent, at the earliest; None: at once."""
        return max(filter(None, (self.undo_until, self.send_at)), default=None)


async def submit(
    connection: Connection, caller: Caller, person_id: UUID, outgoing: Outgoing, now: datetime
) -> tuple[ShownSubmission, list[Entry]]:
    """The submission, and what the log has to say; the account is held by the caller.

    With a key that was used before it is the one made then. Raises NotFound, KeyReused, TooLong,
    SenderNotAllowed, QuotaReached.
    """
    account = await accounts.by_id(connection, caller.tenant_id, outgoing.account_id)
    if account is None:
        raise NotFound("There is no such account.", pointers=("/account_id",))
    earlier = await repeated(connection, caller, person_id, outgoing)
    if earlier is not None:
        return earlier, []
    await refuse_beyond(connection, caller.tenant_id, Counted.SENDS)
    written = outgoing.written
    submission_id = uuid7()
    message = await message_of(
        connection, caller, person_id, account, written, submission_id=submission_id
    )
    command = structs.replace(
        message,
        undo_until=outgoing.undo_until,
        ignore_suppressions=outgoing.ignore_suppressions,
        send_at=outgoing.send_at,
        expires_at=outgoing.expires_at,
    )
    new = NewSubmission(
        submission_id=submission_id,
        account_id=outgoing.account_id,
        created_by=person_id,
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
    if not await submissions.add(connection, caller.tenant_id, new):
        earlier = await repeated(connection, caller, person_id, outgoing)
        assert earlier is not None, "somebody used the key at the same moment"
        return earlier, []
    files = [one.upload_id for one in (*command.enclosures, command.raw) if one is not None]
    await uploads.use(connection, caller.tenant_id, person_id, files, submission_id)
    try:
        await tell(connection, command)
    except TooLarge:
        raise TooLong from None
    kept = await submissions.by_id(connection, caller.tenant_id, submission_id)
    assert kept is not None, "inserted above"
    created = logbook.of_submission(
        "created",
        tenant_id=caller.tenant_id,
        account_id=account.account_id,
        submission_id=submission_id,
        event_id=command.event_id,
        occurred_at=now,
        more={"state": kept.state, "subject": written.subject[:300]},
    )
    return kept, [created]


async def repeated(
    connection: Connection, caller: Caller, person_id: UUID, outgoing: Outgoing
) -> ShownSubmission | None:
    """The submission that this request's key made before; raises KeyReused."""
    if outgoing.idempotency_key is None:
        return None
    earlier = await submissions.by_key(
        connection, caller.tenant_id, person_id, outgoing.idempotency_key
    )
    if earlier is not None and earlier.request_digest != outgoing.digest:
        raise KeyReused
    return earlier


def _first_state(outgoing: Outgoing, now: datetime) -> SubmissionState:
    due_at = outgoing.due_at
    if due_at is None or due_at <= now:
        return SubmissionState.QUEUED
    return SubmissionState.HELD if due_at == outgoing.undo_until else SubmissionState.SCHEDULED
