"""The database came out of a backup: what was shown, promised and allowed since is gone."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.domain import logbook
from services.api.store import log, sessions, submissions, system_mail
from shared.bus import tell
from shared.contracts.account import RetellAccount
from shared.contracts.submission import SubmissionChanged, SubmissionState
from shared.db import Connection

_EVERY_TENANT = UUID(int=0)
_FIRST_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


async def settle_restore(connection: Connection, restored_at: datetime) -> None:
    """Begin a new epoch of every log, and take nothing for granted that may have changed since.

    - Cursors of before name events that nobody here knows: an epoch is the second it began in, so
      no restore needs to know of another, and an older cursor is told to begin anew.
    - Who was signed in then may have been shut out since: everybody signs in again.
    - Mail of Postbus itself that waited may have been sent.
    - A submission that sender had not yet spoken of was on the bus, which is empty now.
    """
    await log.begin_epoch(connection, int((restored_at - _FIRST_EPOCH).total_seconds()))
    await sessions.revoke_everybody(connection)
    await system_mail.forget_older(connection, restored_at)
    await tell(
        connection,
        RetellAccount(tenant_id=_EVERY_TENANT, listener="api", generation=uuid7()),
    )
    entries = [
        logbook.of_submission_state(
            SubmissionChanged(
                tenant_id=one.tenant_id,
                account_id=one.account_id,
                submission_id=one.submission_id,
                revision=0,
                state=SubmissionState.UNCERTAIN,
                message_id="",
                recipients=(),
                attempts=0,
                reason="restored",
            )
        )
        for one in await submissions.doubt_unspoken(connection)
    ]
    await log.append(connection, entries)
