"""Words that wait to be put into the index, and how they get there."""

from shared.db import Connection

# A batch goes into GIN at once: its pending list holds all of it, and is then sorted in memory.
# Of 500 to 5,000 messages at a time, 1,000 to 2,000 cost least.
_PENDING_KIBIBYTES = 256 * 1024
_SORTED_IN = "32MB"


async def count_arriving(connection: Connection) -> int:
    """How many messages wait."""
    return await connection.fetchval("SELECT count(*) FROM words_arriving")


async def move_words(connection: Connection, limit: int) -> int:
    """Put some of the waiting words into the index; 0 also while another process does it.

    Whoever reads finds them in the one table until this transaction ends, and then in the other.
    """
    ours = await connection.fetchval(
        "SELECT pg_try_advisory_xact_lock('words_arriving'::regclass::oid::integer, 0)"
    )
    if not ours:
        return 0
    await connection.execute(
        f"""
        SET LOCAL gin_pending_list_limit = {_PENDING_KIBIBYTES};
        SET LOCAL maintenance_work_mem = '{_SORTED_IN}';
        """
    )
    moved = await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM words_arriving
             WHERE message_id IN (
                 SELECT message_id FROM words_arriving LIMIT $1 FOR UPDATE SKIP LOCKED)
            RETURNING message_id, tenant_id, account_id, received_at, words
        ), come AS (
            INSERT INTO words_live (message_id, tenant_id, account_id, received_at, words)
            SELECT message_id, tenant_id, account_id, received_at, words FROM gone
            ON CONFLICT (message_id) DO NOTHING
        )
        SELECT count(*) FROM gone
        """,
        limit,
    )
    if moved:
        await connection.execute("SELECT put_words_in_order()")
    return moved
