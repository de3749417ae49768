"""Reading words again from what is kept: which accounts, how far, and how new words take over."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from services.indexer.domain.document import Kept
from services.indexer.store.search import kept_of_row
from shared.db import Connection

# As where words of a first sync go into the index: all of a batch is sorted in memory.
_PENDING_KIBIBYTES = 256 * 1024
_SORTED_IN = "32MB"
_LAST_ID = UUID(int=(1 << 128) - 1)


class Rereading(Struct, frozen=True, kw_only=True):
    """An account whose words are being made anew, and how far that came."""

    account_id: UUID
    tenant_id: UUID
    after_received_at: datetime
    after_message_id: UUID


class Remaining(Struct, frozen=True, kw_only=True):
    """What is still to be read again."""

    accounts: int
    messages: int


class Written(Struct, frozen=True):
    """A message that is to be read again."""

    received_at: datetime
    message_id: UUID
    kept: Kept


class Reread(Struct, frozen=True, kw_only=True):
    """The words of one message, made anew."""

    message_id: UUID
    tsvector: bytes
    is_whole: bool


async def ask(connection: Connection, *, account_id: UUID | None, tenant_id: UUID | None) -> int:
    """Have the words of an account, of a tenant or of everything made anew; how many accounts."""
    rows = await connection.fetch(
        """
        UPDATE account SET words_version = 0
         WHERE removed_at IS NULL
           AND ($1::uuid IS NULL OR account_id = $1) AND ($2::uuid IS NULL OR tenant_id = $2)
        RETURNING account_id
        """,
        account_id,
        tenant_id,
    )
    await connection.execute(
        "DELETE FROM rereading WHERE account_id = ANY($1)", [row["account_id"] for row in rows]
    )
    return len(rows)


async def remaining(connection: Connection, words_version: int) -> Remaining:
    """How much is still to be read by these rules."""
    row = await connection.fetchrow(
        """
        SELECT count(DISTINCT account.account_id) AS accounts, count(message_id) AS messages
          FROM account
          LEFT JOIN rereading ON rereading.account_id = account.account_id
                             AND rereading.words_version = $1
          LEFT JOIN document ON document.tenant_id = account.tenant_id
                            AND document.account_id = account.account_id
                            AND has_content
                            AND (received_at, message_id) < (
                                coalesce(after_received_at, 'infinity'),
                                coalesce(after_message_id, $2))
         WHERE account.words_version < $1 AND removed_at IS NULL
        """,
        words_version,
        _LAST_ID,
    )
    assert row is not None
    return convert(dict(row), Remaining)


async def claim(connection: Connection, words_version: int) -> Rereading | None:
    """An account whose words are of older rules, which no other process works on."""
    await connection.execute(
        """
        INSERT INTO rereading AS known (account_id, tenant_id, words_version)
        SELECT account_id, tenant_id, $1 FROM account
         WHERE words_version < $1 AND removed_at IS NULL
           AND NOT EXISTS (SELECT FROM rereading AS begun
                            WHERE begun.account_id = account.account_id
                              AND begun.words_version = $1)
         ORDER BY account_id
        ON CONFLICT (account_id) DO UPDATE
           SET words_version = excluded.words_version,
               after_received_at = excluded.after_received_at,
               after_message_id = excluded.after_message_id
        """,
        words_version,
    )
    row = await connection.fetchrow(
        """
        SELECT account_id, tenant_id, after_received_at, after_message_id FROM rereading
         WHERE words_version = $1
         ORDER BY begun_at, account_id
         LIMIT 1
           FOR UPDATE SKIP LOCKED
        """,
        words_version,
    )
    return row and Rereading(**dict(row))


async def following(connection: Connection, rereading: Rereading, limit: int) -> list[Written]:
    """What the next messages say."""
    rows = await connection.fetch(
        """
        SELECT received_at, message_id, subject, sender, recipients_to, recipients_cc,
               recipients_bcc, filenames, list_id, header_id, preview, body, attachment_count,
               traits, text_is_cut
          FROM document
          JOIN document_text USING (message_id, tenant_id, account_id)
         WHERE tenant_id = $1 AND account_id = $2 AND has_content
           AND (received_at, message_id) < ($3, $4)
         ORDER BY received_at DESC, message_id DESC
         LIMIT $5
        """,
        rereading.tenant_id,
        rereading.account_id,
        rereading.after_received_at,
        rereading.after_message_id,
        limit,
    )
    return [Written(row["received_at"], row["message_id"], kept_of_row(row)) for row in rows]


async def replace(connection: Connection, reread: Sequence[Reread]) -> int:
    """Put new words in the place of old ones that differ; how many did."""
    await connection.execute(
        f"""
        SET LOCAL gin_pending_list_limit = {_PENDING_KIBIBYTES};
        SET LOCAL maintenance_work_mem = '{_SORTED_IN}';
        """
    )
    await connection.execute(
        """
        UPDATE document SET is_whole = new.is_whole
          FROM unnest($1::uuid[], $2::boolean[]) AS new (message_id, is_whole)
         WHERE document.message_id = new.message_id AND document.is_whole <> new.is_whole
        """,
        [one.message_id for one in reread],
        [one.is_whole for one in reread],
    )
    rewritten = 0
    # The order in which words go from one table to the other: what moves meanwhile is met there.
    for table in ("words_arriving", "words_live"):
        done = await connection.execute(
            f"""
            UPDATE {table} AS held SET words = new.words
              FROM unnest($1::uuid[], $2::tsvector[]) AS new (message_id, words)
             WHERE held.message_id = new.message_id AND held.words <> new.words
            """,  # noqa: S608 - a name of ours
            [one.message_id for one in reread],
            [one.tsvector for one in reread],
        )
        rewritten += int(done.rpartition(" ")[2])
    if rewritten:
        await connection.execute("SELECT put_words_in_order()")
    return rewritten


async def note(
    connection: Connection, rereading: Rereading, last: Written, *, messages: int, rewritten: int
) -> None:
    """So far it came."""
    await connection.execute(
        """
        UPDATE rereading
           SET after_received_at = $2, after_message_id = $3,
               messages = messages + $4, rewritten = rewritten + $5
         WHERE account_id = $1
        """,
        rereading.account_id,
        last.received_at,
        last.message_id,
        messages,
        rewritten,
    )


async def end(connection: Connection, account_id: UUID, words_version: int) -> None:
    """All words of the account are of these rules."""
    await connection.execute(
        "UPDATE account SET words_version = $2 WHERE account_id = $1", account_id, words_version
    )
    await connection.execute("DELETE FROM rereading WHERE account_id = $1", account_id)
