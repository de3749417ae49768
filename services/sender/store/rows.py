"""How rows become submissions."""

from collections.abc import Sequence
from itertools import groupby

import asyncpg

from services.sender.domain.submission import Addressee, Submission
from shared.contracts.submission import Fate, SubmissionState
from shared.db import Connection


async def read(connection: Connection, found: Sequence[asyncpg.Record]) -> list[Submission]:
    """The submissions that these rows name by id, whole, in the order of their ids."""
    rows = await connection.fetch(
        """
        SELECT submission_id, submission.tenant_id, submission.account_id, state, revision,
               message_id_header, sender_email, size_bytes, needs_smtputf8, attempts,
               first_attempt_at, due_at, reason, submission.server_said, filed, fence, created_at,
               expires_at, slot_at, day, number, email, fate, code, enhanced_code, handed_over,
               recipient.server_said AS recipient_server_said
          FROM submission LEFT JOIN recipient USING (submission_id)
         WHERE submission_id = ANY($1) ORDER BY submission_id, number
        """,
        [row["submission_id"] for row in found],
    )
    return [
        _submission(list(group)) for _, group in groupby(rows, lambda row: row["submission_id"])
    ]


def _submission(rows: list[asyncpg.Record]) -> Submission:
    row = rows[0]
    return Submission(
        submission_id=row["submission_id"],
        tenant_id=row["tenant_id"],
        account_id=row["account_id"],
        state=SubmissionState(row["state"]),
        revision=row["revision"],
        message_id=row["message_id_header"],
        sender=row["sender_email"],
        size_bytes=row["size_bytes"],
        needs_smtputf8=row["needs_smtputf8"],
        attempts=row["attempts"],
        first_attempt_at=row["first_attempt_at"],
        due_at=row["due_at"],
        reason=row["reason"],
        server_said=row["server_said"],
        filed=row["filed"],
        fence=row["fence"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        slot_at=row["slot_at"],
        day=row["day"],
        recipients=tuple(_addressee(each) for each in rows if each["number"] is not None),
    )


def _addressee(row: asyncpg.Record) -> Addressee:
    return Addressee(
        number=row["number"],
        email=row["email"],
        fate=Fate(row["fate"]),
        code=row["code"],
        enhanced_code=row["enhanced_code"],
        server_said=row["recipient_server_said"],
        handed_over=row["handed_over"],
    )
