"""By what a mailbox that went is known again: some of the messages that were in it then."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.sync.domain.reunion import Looks
from services.sync.store.places import SAMPLED
from shared.db import Connection


async def take(connection: Connection, mailbox_ids: Sequence[UUID]) -> None:
    """Keep in mind some messages of each of these, which still have a place."""
    await connection.execute(
        f"""
        INSERT INTO keepsake (mailbox_id, uid, tenant_id, account_id, email_id, match_key)
        SELECT mailbox_id, last.uid, tenant_id, account_id, last.email_id, last.match_key
          FROM mailbox CROSS JOIN LATERAL ({SAMPLED}) AS last
         WHERE mailbox_id = ANY($1)
        ON CONFLICT (mailbox_id, uid) DO NOTHING
        """,  # noqa: S608 - the statement of places
        list(mailbox_ids),
    )


async def of_mailbox(connection: Connection, mailbox_id: UUID) -> dict[int, Looks]:
    """What some messages of a mailbox were by UID, and how they would be known again."""
    rows = await connection.fetch(
        "SELECT uid, email_id, match_key FROM keepsake WHERE mailbox_id = $1", mailbox_id
    )
    return {row["uid"]: Looks(email_id=row["email_id"], match_key=row["match_key"]) for row in rows}


async def give_up(connection: Connection, mailbox_ids: Sequence[UUID]) -> None:
    """These mailboxes are there again."""
    await connection.execute("DELETE FROM keepsake WHERE mailbox_id = ANY($1)", list(mailbox_ids))


async def give_up_old(connection: Connection, age: timedelta) -> None:
    """Of mailboxes that are gone for longer than this."""
    await connection.execute(
        """
        DELETE FROM keepsake USING mailbox
         WHERE mailbox.mailbox_id = keepsake.mailbox_id AND gone_at < now() - $1::interval
        """,
        age,
    )
