"""Somebody wants a submission canceled, sent now or at another time, or tried again."""

from datetime import UTC, datetime

from msgspec import structs

from services.sender import store
from services.sender.domain.changing import (
    CannotChange,
    canceled,
    hastened,
    rescheduled,
    retried,
)
from services.sender.domain.submission import Submission, retold
from services.sender.store import Held
from shared.bus import tell
from shared.contracts.submission import ChangeSubmission, SubmissionAction
from shared.db import Connection, Pool, in_transaction

# Who wants it now does not want to wait until its server is asked again.
_AT_ONCE = (SubmissionAction.SEND_NOW, SubmissionAction.RETRY)


class NotYetKnown(Exception):
    """The submission itself has not come yet."""


async def change_submission(command: ChangeSubmission, pool: Pool) -> None:
    """Do it, or tell why it cannot be done; raises NotYetKnown.

    A submission that somebody is handing over is taken from him as long as he has not written
    down that the final dot is due: from then on nobody can say that it was not sent.
    """

    async def work(connection: Connection) -> None:
        held = await store.hold_to_change(
            connection, command.tenant_id, command.account_id, command.submission_id
        )
        if held is None:
            removed = await store.account_is_removed(
                connection, command.tenant_id, command.account_id
            )
            if removed is not True:
                raise NotYetKnown
            return
        now = datetime.now(UTC)
        try:
            await _refuse_overtaken(connection, command)
            changed, refused = _changed(command, held, now), None
        except CannotChange as cannot:
            changed, refused = held.submission, cannot.reason
        if changed is held.submission:
            changed = retold(changed)
            await store.put_revision(connection, changed)
        else:
            await store.put_changed(connection, changed)
            if command.action in _AT_ONCE:
                await store.end_rest(connection, command.tenant_id, command.account_id)
            if changed.due_at is not None and not changed.attempts:
                await store.redate(connection, changed, changed.due_at)
        await tell(
            connection,
            structs.replace(changed.told(), change_id=command.change_id, change_refused=refused),
        )

    await in_transaction(pool, work)


async def _refuse_overtaken(connection: Connection, command: ChangeSubmission) -> None:
    """What was asked for before a restore and sends may have been done: it is to be asked anew."""
    if command.action in (SubmissionAction.SEND_NOW, SubmissionAction.RETRY):
        restored_at = await store.restored_at(connection)
        if restored_at is not None and command.occurred_at <= restored_at:
            raise CannotChange("restored")


def _changed(command: ChangeSubmission, held: Held, now: datetime) -> Submission:
    submission = held.submission
    handing_over = held.stage == "transmitting"
    match command.action:
        case SubmissionAction.CANCEL:
            return canceled(submission, handing_over=handing_over)
        case SubmissionAction.SEND_NOW:
            return hastened(submission, handing_over=held.stage != "waiting", now=now)
        case SubmissionAction.RESCHEDULE if command.send_at is not None:
            return rescheduled(
                submission, handing_over=held.stage != "waiting", send_at=command.send_at
            )
        case SubmissionAction.RETRY:
            return retried(
                submission,
                may_arrive_twice=command.may_arrive_twice,
                has_mime=held.has_mime,
                now=now,
            )
        case _:
            raise CannotChange("unknown_action")
