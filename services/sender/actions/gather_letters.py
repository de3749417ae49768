"""Messages with files: fetch the files, compose, and freeze."""

from datetime import UTC, datetime, timedelta

import structlog
from structlog.contextvars import bound_contextvars

from services.sender import store
from services.sender.actions.composing import NotGathered, composed_of
from services.sender.domain.compose import Composed, Unsendable
from services.sender.domain.submission import after_composing, after_refusal
from services.sender.domain.turns import Sender
from shared.bus import Bus, tell
from shared.contracts.submission import SendMessage, SubmissionState
from shared.db import Connection, Pool, in_transaction, is_away

log = structlog.get_logger()

_AT_A_TIME = 1  # of up to 50 MB, held in memory several times over
_LONGEST_PAUSE = timedelta(minutes=5)
# Who died with it is waited for so long; whoever is late finds that it waits no more.
_OURS_FOR = timedelta(minutes=2)


async def gather_letters(bus: Bus, pool: Pool) -> list[Sender]:
    """Compose the next message that waits for its files; whose it is, nobody's when none does."""
    async with pool.acquire() as connection, connection.transaction():
        commands = await store.claim_letters(connection, limit=_AT_A_TIME, for_so_long=_OURS_FOR)
    for command in commands:
        with bound_contextvars(submission_id=str(command.submission_id)):
            try:
                await _compose(command, bus, pool)
            except Exception as error:
                if is_away(error):
                    raise
                # It must not stand in the way of the next; it is tried again, and seen.
                log.exception("message could not be composed")
                await _put_off(command, pool)
    return [Sender(command.tenant_id, command.account_id) for command in commands]


async def _compose(command: SendMessage, bus: Bus, pool: Pool) -> None:
    now = datetime.now(UTC)
    try:
        composed = await composed_of(
            command, bus, now=max(now, command.send_at or now, command.undo_until or now)
        )
    except NotGathered as error:
        log.warning("message not composed yet", error=str(error))
        await _put_off(command, pool)
        return
    except Unsendable as unsendable:
        outcome: Composed | Unsendable = unsendable
    else:
        outcome = composed

    async def work(connection: Connection) -> None:
        submission = await store.take_letter(connection, command.tenant_id, command.submission_id)
        if submission is None:
            return
        # One in doubt is composed all the same: it may have to be sent again.
        if submission.is_settled and submission.state is not SubmissionState.UNCERTAIN:
            return
        if isinstance(outcome, Unsendable):
            refused = after_refusal(submission, reason=outcome.reason)
            await store.put_states(connection, [refused])
            await tell(connection, refused.told())
            return
        frozen = after_composing(submission, outcome)
        await store.put_composed(connection, frozen, store.pieces_of(outcome.mime))
        # It may have been put off or hastened while its files came.
        if command.raw is None and submission.due_at is not None:
            await store.redate(connection, frozen, max(submission.due_at, now))
        await tell(connection, frozen.told())

    await in_transaction(pool, work)


async def _put_off(command: SendMessage, pool: Pool) -> None:
    async with pool.acquire() as connection:
        await store.put_off_letter(
            connection, command.tenant_id, command.submission_id, _LONGEST_PAUSE
        )
