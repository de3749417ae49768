"""What is known of each message: its state, its words, its text."""

from enum import StrEnum
from uuid import UUID

from services.indexer.domain.told import Gone, Readable, Told, keywords_of, labels_of
from shared.db import Connection


class Shelf(StrEnum):
    """The table that takes in the words of a message not yet known."""

    LIVE = "words_live"
    ARRIVING = "words_arriving"  # on their way to the other, in bulk


# In the order in which a message's words go from one to the other.
_OF_WORDS = (Shelf.ARRIVING, Shelf.LIVE)


async def put_documents(
    connection: Connection,
    told: list[Told],
    contents: list[Readable],
    shelf: Shelf,
) -> None:
    """Store what was told of messages, one row each, sorted by id.

    Content comes once: the first writer wins. State follows the newest word, and so does existence:
    an older page does not overwrite a tombstone. What is unknown though a retell newer than it is
    complete has vanished.
    """
    content_of = {content.message_id: content for content in contents}
    found = [content_of.get(one.message_id) for one in told]
    await connection.execute(
        """
        INSERT INTO document AS known (
            message_id, tenant_id, account_id, revision, alive_as_of, mailbox_id, thread_id,
            keywords, labels, has_content, received_at, size_bytes, is_whole)
        SELECT told.message_id, told.tenant_id, told.account_id, told.revision, told.alive_as_of,
               told.mailbox_id, told.thread_id, string_to_array(told.keywords, E'\\n'),
               string_to_array(told.labels, E'\\n'), told.received_at IS NOT NULL,
               told.received_at, told.size_bytes, told.is_whole
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::uuid[],
                      $7::uuid[], $8::text[], $9::text[], $10::timestamptz[], $11::bigint[],
                      $12::boolean[])
            AS told (message_id, tenant_id, account_id, revision, alive_as_of, mailbox_id,
                     thread_id, keywords, labels, received_at, size_bytes, is_whole)
          JOIN account ON account.account_id = told.account_id
         WHERE coalesce(told.alive_as_of, told.revision) > account.complete_as_of
            OR (SELECT true FROM document AS there WHERE there.message_id = told.message_id)
         ORDER BY told.message_id
        ON CONFLICT (message_id) DO UPDATE
           SET revision = CASE WHEN replaces_state(known, excluded)
                        THEN excluded.revision ELSE known.revision END,
               mailbox_id = CASE WHEN replaces_state(known, excluded)
                        THEN excluded.mailbox_id ELSE known.mailbox_id END,
               thread_id = CASE WHEN replaces_state(known, excluded)
                        THEN excluded.thread_id ELSE known.thread_id END,
               keywords = CASE WHEN replaces_state(known, excluded)
                        THEN excluded.keywords ELSE known.keywords END,
               labels = CASE WHEN replaces_state(known, excluded)
                        THEN excluded.labels ELSE known.labels END,
               vanished_at = CASE WHEN replaces_state(known, excluded)
                        THEN excluded.vanished_at ELSE known.vanished_at END,
               has_content = CASE WHEN adds_content(known, excluded)
                        THEN excluded.has_content ELSE known.has_content END,
               received_at = CASE WHEN adds_content(known, excluded)
                        THEN excluded.received_at ELSE known.received_at END,
               size_bytes = CASE WHEN adds_content(known, excluded)
                        THEN excluded.size_bytes ELSE known.size_bytes END,
               is_whole = CASE WHEN adds_content(known, excluded)
                        THEN excluded.is_whole ELSE known.is_whole END,
               alive_as_of = greatest(known.alive_as_of, excluded.alive_as_of)
         WHERE known.account_id = excluded.account_id
           AND known.tenant_id = excluded.tenant_id
           AND (replaces_state(known, excluded) OR adds_content(known, excluded)
                OR excluded.alive_as_of > coalesce(known.alive_as_of, -1))
        """,
        [one.message_id for one in told],
        [one.account.tenant_id for one in told],
        [one.account.account_id for one in told],
        [one.revision for one in told],
        [one.alive_as_of for one in told],
        [one.state.mailbox_id for one in told],
        [one.state.thread_id for one in told],
        ["\n".join(keywords_of(one.state)) for one in told],
        ["\n".join(labels_of(one.state)) for one in told],
        [content and content.received_at for content in found],
        [content and content.size_bytes for content in found],
        [content.is_whole if content else True for content in found],
    )
    if contents:
        await _put_contents(connection, contents, shelf)


async def _put_contents(connection: Connection, contents: list[Readable], shelf: Shelf) -> None:
    """Store what is not there yet. Whoever upserted a message's row keeps others from it.

    Each question is a value of its own, and `IS TRUE` hides what is no key: it is looked up by the
    key alone. Planned while the tables were nearly empty, as a first sync finds them, a join went
    through all that the account had in its index of dates, for each message anew.
    """
    lacking = await connection.fetch(
        """
        SELECT message_id, words, texts
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])
            AS told (message_id, tenant_id, account_id)
         CROSS JOIN LATERAL (SELECT
             (SELECT true FROM words_live AS held WHERE held.message_id = told.message_id) IS NULL
             AND (SELECT true FROM words_arriving AS held
                   WHERE held.message_id = told.message_id) IS NULL,
             (SELECT true FROM document_text AS held
               WHERE held.message_id = told.message_id) IS NULL
         ) AS lacks (words, texts)
         WHERE (lacks.words OR lacks.texts)
           AND (SELECT has_content FROM document
                 WHERE document.message_id = told.message_id
                   AND (document.tenant_id = told.tenant_id) IS TRUE
                   AND (document.account_id = told.account_id) IS TRUE)
        """,
        [one.message_id for one in contents],
        [one.account.tenant_id for one in contents],
        [one.account.account_id for one in contents],
    )
    without_words = {row["message_id"] for row in lacking if row["words"]}
    without_text = {row["message_id"] for row in lacking if row["texts"]}
    words = [one for one in contents if one.message_id in without_words]
    await _put_words(connection, words, shelf)
    texts = [one for one in contents if one.message_id in without_text]
    await _put_texts(connection, texts)


async def _put_words(connection: Connection, contents: list[Readable], shelf: Shelf) -> None:
    await connection.execute(
        f"""
        INSERT INTO {shelf} (message_id, tenant_id, account_id, received_at, words)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::tsvector[])
        """,  # noqa: S608 - a name of ours
        [one.message_id for one in contents],
        [one.account.tenant_id for one in contents],
        [one.account.account_id for one in contents],
        [one.received_at for one in contents],
        [one.tsvector for one in contents],
    )


async def _put_texts(connection: Connection, contents: list[Readable]) -> None:
    # An array of arrays would be one flat array to PostgreSQL; each line of these is one element.
    await connection.execute(
        """
        INSERT INTO document_text (
            message_id, tenant_id, account_id, subject, sender, recipients_to, recipients_cc,
            recipients_bcc, filenames, list_id, header_id, preview, body, attachment_count,
            traits, text_is_cut)
        SELECT message_id, tenant_id, account_id, subject,
               string_to_array(sender, E'\\n'), string_to_array(recipients_to, E'\\n'),
               string_to_array(recipients_cc, E'\\n'), string_to_array(recipients_bcc, E'\\n'),
               string_to_array(filenames, E'\\n'), list_id, header_id, preview, body,
               attachment_count, string_to_array(traits, E'\\n'), text_is_cut
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                      $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                      $13::text[], $14::integer[], $15::text[], $16::boolean[])
            AS told (message_id, tenant_id, account_id, subject, sender, recipients_to,
                     recipients_cc, recipients_bcc, filenames, list_id, header_id, preview, body,
                     attachment_count, traits, text_is_cut)
        """,
        [one.message_id for one in contents],
        [one.account.tenant_id for one in contents],
        [one.account.account_id for one in contents],
        [one.kept.subject for one in contents],
        ["\n".join(one.kept.sender) for one in contents],
        ["\n".join(one.kept.recipients_to) for one in contents],
        ["\n".join(one.kept.recipients_cc) for one in contents],
        ["\n".join(one.kept.recipients_bcc) for one in contents],
        ["\n".join(one.kept.filenames) for one in contents],
        [one.kept.list_id for one in contents],
        [one.kept.header_id for one in contents],
        [one.kept.preview for one in contents],
        [one.kept.body for one in contents],
        [one.kept.attachment_count for one in contents],
        ["\n".join(one.kept.traits or ()) for one in contents],
        [one.kept.text_is_cut for one in contents],
    )


async def put_tombstones(connection: Connection, gone: list[Gone]) -> None:
    """Let nothing of these messages be found again, unless something newer speaks of them."""
    ids = [one.message_id for one in gone]
    await connection.execute(
        """
        INSERT INTO document AS known (message_id, tenant_id, account_id, revision, vanished_at)
        SELECT gone.message_id, gone.tenant_id, gone.account_id, gone.revision, gone.vanished_at
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::timestamptz[])
            AS gone (message_id, tenant_id, account_id, revision, vanished_at)
          JOIN account ON account.account_id = gone.account_id
         WHERE gone.revision > account.complete_as_of
            OR (SELECT true FROM document AS there WHERE there.message_id = gone.message_id)
         ORDER BY gone.message_id
        ON CONFLICT (message_id) DO UPDATE
           SET revision = excluded.revision, vanished_at = excluded.vanished_at,
               mailbox_id = NULL, thread_id = NULL, keywords = '{}', labels = '{}',
               has_content = false,
               received_at = NULL, size_bytes = NULL, is_whole = true
         WHERE known.account_id = excluded.account_id
           AND known.tenant_id = excluded.tenant_id
           AND excluded.revision >= greatest(known.revision, known.alive_as_of)
           AND (known.vanished_at IS NULL OR excluded.revision > known.revision)
        """,
        ids,
        [one.account.tenant_id for one in gone],
        [one.account.account_id for one in gone],
        [one.revision for one in gone],
        [one.vanished_at for one in gone],
    )
    # Arriving first: what is moved on while we wait for it is met in the next table.
    for table in (*_OF_WORDS, "document_text"):
        await connection.execute(
            f"""
            DELETE FROM {table} AS held USING document
             WHERE held.message_id = ANY($1)
               AND document.message_id = held.message_id
               AND document.vanished_at IS NOT NULL
            """,  # noqa: S608 - a name of ours
            ids,
        )


async def delete_words(connection: Connection, message_ids: list[UUID]) -> None:
    """Let go of what was readable of these messages."""
    for table in (*_OF_WORDS, "document_text"):
        await connection.execute(
            f"DELETE FROM {table} WHERE message_id = ANY($1)",  # noqa: S608 - a name of ours
            message_ids,
        )
