"""Messages as they are shown: three facets, each merged so that order and repetition do not matter.

Existence is two greatest numbers (`vanished_revision`, `attested_revision`), state goes by
`revision`, content comes once. Every merge returns what it did to each row, read by PostgreSQL
from the row it locked (RETURNING OLD and NEW), so that counts and log follow from what happened
and not from what was expected.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from services.api.domain.changes import Shown
from services.api.domain.told import (
    LABEL_SEPARATOR,
    Standing,
    Told,
    Transition,
    keywords_of,
    labels_of,
    storable,
    storable_time,
)
from shared.contracts.content import Invitation, Priority, Report, Scheme
from shared.contracts.mail import (
    Address,
    Attachment,
    ChangedMessage,
    Content,
    State,
    SyncedMessage,
    VanishedMessage,
)
from shared.db import Connection


class Details(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a message's content that is only shown, never asked for."""

    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    list_id: str | None = None
    priority: Priority | None = None
    signed: Scheme | None = None
    encrypted: Scheme | None = None
    invitation: Invitation | None = None
    report: Report | None = None
    defects: tuple[str, ...] = ()


_CONTENT = {
    "received_at": "timestamptz",
    "content_id": "bytea",
    "subject": "text",
    "sender_name": "text",
    "sender_email": "text",
    "rfc_message_id": "text",
    "sent_at": "timestamptz",
    "size_bytes": "bigint",
    "preview": "text",
    "has_html": "boolean",
    "attachment_count": "integer",
    "details": "json",
}
_NAMES = ", ".join(_CONTENT)
_NO_CONTENT = ", ".join(f"{name} = NULL" for name in _CONTENT)

# Lists travel as texts, since arrays of arrays are no type.
_LISTS = f"string_to_array(keywords, ' '), string_to_array(labels, '{LABEL_SEPARATOR}')"

_STANDING = """
        RETURNING WITH (OLD AS before, NEW AS after)
                  after.tenant_id, after.account_id, after.message_id,
                  before.message_id IS NOT NULL AS was_there,
                  before.received_at IS NOT NULL AS was_known,
                  before.listed AS was_listed, before.unread AS was_unread,
                  before.mailbox_id AS was_mailbox_id, before.thread_id AS was_thread_id,
                  before.keywords AS was_keywords, before.labels AS was_labels,
                  after.received_at IS NOT NULL AS is_known,
                  after.listed AS is_listed, after.unread AS is_unread,
                  after.mailbox_id AS is_mailbox_id, after.thread_id AS is_thread_id,
                  after.keywords AS is_keywords, after.labels AS is_labels
"""

# What is gone stays gone for ordinary pages; a retelling that saw it later brings it back.
_STILL_GONE = """
    (known.vanished_revision IS NOT NULL
     AND known.vanished_revision >= greatest(known.attested_revision, excluded.attested_revision))
"""
_NEWER = """
    (excluded.revision > known.revision
     OR (excluded.attested_revision > 0 AND excluded.revision = known.revision))
"""

_KEEP = f"""
    INSERT INTO message AS known
           (tenant_id, message_id, account_id, attested_revision,
            revision, mailbox_id, thread_id, keywords, labels, {_NAMES})
    SELECT tenant_id, message_id, account_id, attested_revision,
           revision, mailbox_id, thread_id, {_LISTS}, {_NAMES}
      FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[],
                  $5::bigint[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
                  {", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_CONTENT.values(), 10))})
        AS told (tenant_id, message_id, account_id, attested_revision,
                 revision, mailbox_id, thread_id, keywords, labels, {_NAMES})
     ORDER BY tenant_id, message_id
    ON CONFLICT (tenant_id, message_id) DO UPDATE
       SET attested_revision = greatest(known.attested_revision, excluded.attested_revision),
           vanished_at = CASE WHEN {_STILL_GONE} THEN known.vanished_at END,
           revision = greatest(known.revision, excluded.revision),
           mailbox_id = CASE WHEN {_NEWER} THEN excluded.mailbox_id ELSE known.mailbox_id END,
           thread_id = CASE WHEN {_NEWER} THEN excluded.thread_id ELSE known.thread_id END,
           keywords = CASE WHEN {_NEWER} THEN excluded.keywords ELSE known.keywords END,
           labels = CASE WHEN {_NEWER} THEN excluded.labels ELSE known.labels END,
           {
    ", ".join(
        f'''{name} = CASE
               WHEN {_STILL_GONE} THEN NULL
               WHEN known.received_at IS NULL OR (excluded.attested_revision > 0 AND {_NEWER})
               THEN excluded.{name} ELSE known.{name} END'''
        for name in _CONTENT
    )
}
     WHERE known.account_id = excluded.account_id
       AND ({_NEWER}
            OR (known.received_at IS NULL AND NOT {_STILL_GONE})
            OR excluded.attested_revision > known.attested_revision)
    {_STANDING}
"""  # noqa: S608 - names and types of our own columns


async def keep(
    connection: Connection, told: Sequence[Told[SyncedMessage]]
) -> dict[tuple[UUID, UUID], Transition]:
    """Keep these messages, content, state and existence; returns what became of each row.

    Content comes once: the first writer wins. State follows the newest revision. What is gone
    takes no content, unless a retelling saw it there later. A retelling also replaces what is
    equally new. A row that was as told already is returned as it stands.
    """
    states = [one.message.state for one in told]
    contents = [_content(one) for one in told]
    rows = await connection.fetch(
        _KEEP,
        [one.tenant_id for one in told],
        [one.message.message_id for one in told],
        [one.account_id for one in told],
        [one.attested_revision for one in told],
        [one.message.revision for one in told],
        *_state(states),
        *([content[place] for content in contents] for place in range(len(_CONTENT))),
    )
    became = _transitions(rows)
    others = [one for one in told if (one.tenant_id, one.message.message_id) not in became]
    return {**became, **(await _as_they_stand(connection, others))} if others else became


async def _as_they_stand(
    connection: Connection, told: Sequence[Told[SyncedMessage]]
) -> dict[tuple[UUID, UUID], Transition]:
    rows = await connection.fetch(
        """
        SELECT tenant_id, account_id, message_id, received_at IS NOT NULL AS is_known,
               listed AS is_listed, unread AS is_unread, mailbox_id AS is_mailbox_id,
               thread_id AS is_thread_id, keywords AS is_keywords, labels AS is_labels
          FROM message
          JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[])
            AS told (tenant_id, message_id, account_id)
         USING (tenant_id, message_id, account_id)
        """,
        [one.tenant_id for one in told],
        [one.message.message_id for one in told],
        [one.account_id for one in told],
    )
    return {
        (row["tenant_id"], row["message_id"]): Transition(
            tenant_id=row["tenant_id"],
            account_id=row["account_id"],
            message_id=row["message_id"],
            before=_standing(row, "is"),
            after=_standing(row, "is"),
        )
        for row in rows
    }


async def mark(
    connection: Connection, told: Sequence[Told[ChangedMessage]]
) -> dict[tuple[UUID, UUID], Transition]:
    """Let these messages be where and as they are told to be, if that is newer than what we know.

    One not known yet becomes a stub that no list shows until its content comes.
    """
    states = [one.message.state for one in told]
    rows = await connection.fetch(
        f"""
        INSERT INTO message AS known
               (tenant_id, message_id, account_id, revision, mailbox_id, thread_id, keywords,
                labels)
        SELECT tenant_id, message_id, account_id, revision, mailbox_id, thread_id, {_LISTS}
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[],
                      $5::uuid[], $6::uuid[], $7::text[], $8::text[])
            AS told (tenant_id, message_id, account_id, revision, mailbox_id, thread_id, keywords,
                     labels)
         ORDER BY tenant_id, message_id
        ON CONFLICT (tenant_id, message_id) DO UPDATE
           SET revision = excluded.revision,
               mailbox_id = excluded.mailbox_id,
               thread_id = excluded.thread_id,
               keywords = excluded.keywords,
               labels = excluded.labels
         WHERE known.account_id = excluded.account_id AND excluded.revision > known.revision
        {_STANDING}
        """,  # noqa: S608 - text of our own
        [one.tenant_id for one in told],
        [one.message.message_id for one in told],
        [one.account_id for one in told],
        [one.message.revision for one in told],
        *_state(states),
    )
    return _transitions(rows)


async def show(
    connection: Connection, shown: Sequence[tuple[UUID, UUID, Shown]]
) -> dict[tuple[UUID, UUID], Transition]:
    """Show these messages of tenants so, whatever was told; the rows are held by the caller."""
    if not shown:
        return {}
    rows = await connection.fetch(
        f"""
        UPDATE message
           SET mailbox_id = wanted.mailbox_id,
               keywords = string_to_array(wanted.keywords, ' '),
               labels = string_to_array(wanted.labels, '{LABEL_SEPARATOR}')
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[])
            AS wanted (tenant_id, message_id, mailbox_id, keywords, labels)
         WHERE message.tenant_id = wanted.tenant_id AND message.message_id = wanted.message_id
        {_STANDING}
        """,  # noqa: S608 - text of our own
        [tenant_id for tenant_id, _, _ in shown],
        [message_id for _, message_id, _ in shown],
        [state.mailbox_id for _, _, state in shown],
        [" ".join(state.keywords) for _, _, state in shown],
        [LABEL_SEPARATOR.join(state.labels) for _, _, state in shown],
    )
    return _transitions(rows)


async def bury(
    connection: Connection, told: Sequence[Told[VanishedMessage]]
) -> dict[tuple[UUID, UUID], Transition]:
    """Leave a tombstone for each of these, also for one that was never seen here.

    One that a later retelling saw stays.
    """
    rows = await connection.fetch(
        f"""
        INSERT INTO message AS known
               (tenant_id, message_id, account_id, vanished_revision, vanished_at)
        SELECT tenant_id, message_id, account_id, revision, now()
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[])
            AS told (tenant_id, message_id, account_id, revision)
         ORDER BY tenant_id, message_id
        ON CONFLICT (tenant_id, message_id) DO UPDATE
           SET vanished_revision = excluded.vanished_revision,
               vanished_at = CASE WHEN excluded.vanished_revision >= known.attested_revision
                                  THEN coalesce(known.vanished_at, now()) END,
               {
            ", ".join(
                f'''{name} = CASE WHEN excluded.vanished_revision >= known.attested_revision
                                  THEN NULL ELSE known.{name} END'''
                for name in _CONTENT
            )
        }
         WHERE known.account_id = excluded.account_id
           AND (known.vanished_revision IS NULL
                OR known.vanished_revision < excluded.vanished_revision)
        {_STANDING}
        """,  # noqa: S608 - text of our own
        [one.tenant_id for one in told],
        [one.message.message_id for one in told],
        [one.account_id for one in told],
        [one.message.revision for one in told],
    )
    return _transitions(rows)


async def bury_unseen(
    connection: Connection, tenant_id: UUID, account_id: UUID, *, as_of_revision: int, limit: int
) -> list[Transition]:
    """Of an account told again: what no page showed and nothing newer spoke of is gone."""
    rows = await connection.fetch(
        f"""
        UPDATE message
           SET vanished_revision = $3, vanished_at = now(), {_NO_CONTENT}
         WHERE (tenant_id, message_id) IN (
               SELECT tenant_id, message_id
                 FROM message
                WHERE tenant_id = $1 AND account_id = $2
                  AND attested_revision < $3
                  AND revision <= $3
                  AND coalesce(vanished_revision, -1) < attested_revision
                  ORDER BY message_id LIMIT $4
                  FOR UPDATE)
        {_STANDING}
        """,  # noqa: S608 - text of our own
        tenant_id,
        account_id,
        as_of_revision,
        limit,
    )
    return list(_transitions(rows).values())


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID, limit: int) -> int:
    """Delete rows of an account that is gone; returns how many went."""
    return await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM message
             WHERE tenant_id = $1 AND message_id IN (
                   SELECT message_id FROM message
                    WHERE tenant_id = $1 AND account_id = $2 LIMIT $3)
            RETURNING 1)
        SELECT count(*) FROM gone
        """,
        tenant_id,
        account_id,
        limit,
    )


async def forget_tombstones(connection: Connection, *, before: Any, limit: int) -> int:
    """Delete tombstones that no late page can contradict any more; returns how many went."""
    return await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM message
             WHERE (tenant_id, message_id) IN (
                   SELECT tenant_id, message_id FROM message
                    WHERE vanished_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
            RETURNING 1)
        SELECT count(*) FROM gone
        """,
        before,
        limit,
    )


def _state(
    states: Sequence[State],
) -> tuple[list[UUID | None], list[UUID], list[str], list[str]]:
    return (
        [state.mailbox_id for state in states],
        [state.thread_id for state in states],
        # A keyword is an atom and holds no blank (RFC 9051 §9, flag-keyword).
        [" ".join(keywords_of(state)) for state in states],
        [LABEL_SEPARATOR.join(labels_of(state)) for state in states],
    )


def _content(one: Told[SyncedMessage]) -> tuple[Any, ...]:
    content = one.message.content
    return (
        storable_time(content.received_at) or one.occurred_at,
        one.message.content_id,
        storable(content.subject),
        storable(content.sender.name) if content.sender else None,
        storable(content.sender.email) if content.sender else None,
        storable(content.message_id) if content.message_id else None,
        storable_time(content.sent_at),
        content.size_bytes,
        storable(content.preview),
        content.has_html,
        sum(not part.inline for part in content.attachments),
        msgspec.json.encode(_details(content)).decode(),
    )


def _details(content: Content) -> Details:
    return Details(
        reply_to=content.reply_to,
        to=content.to,
        cc=content.cc,
        bcc=content.bcc,
        in_reply_to=content.in_reply_to,
        references=content.references,
        attachments=content.attachments,
        list_id=content.list_id,
        priority=content.priority,
        signed=content.signed,
        encrypted=content.encrypted,
        invitation=content.invitation,
        report=content.report,
        defects=content.defects,
    )


def _transitions(rows: Sequence[asyncpg.Record]) -> dict[tuple[UUID, UUID], Transition]:
    return {
        (row["tenant_id"], row["message_id"]): Transition(
            tenant_id=row["tenant_id"],
            account_id=row["account_id"],
            message_id=row["message_id"],
            before=_standing(row, "was") if row["was_there"] else None,
            after=_standing(row, "is"),
        )
        for row in rows
    }


def _standing(row: asyncpg.Record, tense: str) -> Standing:
    return Standing(
        known=row[f"{tense}_known"],
        listed=row[f"{tense}_listed"],
        unread=row[f"{tense}_unread"],
        mailbox_id=row[f"{tense}_mailbox_id"],
        thread_id=row[f"{tense}_thread_id"],
        keywords=tuple(row[f"{tense}_keywords"]),
        labels=tuple(row[f"{tense}_labels"]),
    )
