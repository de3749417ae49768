"""Reading on behalf of a caller: every query names tenant and accounts, and so do the policies.

Each is one step of its own (`TenantReader`), so that a search holds no connection while it thinks.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.indexer.domain.acquaintance import Letter
from services.indexer.domain.document import Kept
from shared.db import TenantReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A message that the index offers, newest first."""

    message_id: UUID
    account_id: UUID
    mailbox_id: UUID | None
    thread_id: UUID | None
    received_at: datetime
    keywords: frozenset[str]
    labels: frozenset[str]
    size_bytes: int
    is_whole: bool

    @property
    def place(self) -> tuple[datetime, UUID]:
        """Where it stands in the order."""
        return self.received_at, self.message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the index decides by itself."""

    tsquery: str | None
    required: Sequence[str]
    forbidden: Sequence[str]
    labels: Sequence[str]
    accounts: Collection[UUID] | None  # None: any
    mailboxes: Collection[UUID] | None
    other_mailboxes: Collection[UUID]  # in none of these
    threads: Collection[UUID] | None
    since: datetime
    before: tuple[datetime, UUID]  # excluded


_FOUND = """
    find_messages($4::text::tsquery, $5, $6, $7, coalesce($8, caller.accounts::uuid[]),
                  $9, $10, $11, $12, $13, $14, $15) AS found
"""


def _arguments(asked: Asked, wanted: int) -> tuple[object, ...]:
    return (
        asked.tsquery,
        asked.required,
        asked.forbidden,
        asked.labels,
        *(None if ids is None else list(ids) for ids in (asked.accounts, asked.mailboxes)),
        None if asked.threads is None else list(asked.threads),
        list(asked.other_mailboxes),
        asked.since,
        *asked.before,
        wanted,
    )


async def find(reader: TenantReader, asked: Asked, wanted: int) -> list[Candidate]:
    """The newest messages that match, inside the caller's tenant and accounts."""
    rows = await reader.rows(
        f"""
        SELECT message_id, account_id, mailbox_id, thread_id, received_at, keywords, labels,
               size_bytes, is_whole
          FROM {_FOUND}
        """,  # noqa: S608 - all of it is ours
        *_arguments(asked, wanted),
    )
    return [
        Candidate(
            message_id=row["message_id"],
            account_id=row["account_id"],
            mailbox_id=row["mailbox_id"],
            thread_id=row["thread_id"],
            received_at=row["received_at"],
            keywords=frozenset(row["keywords"]),
            labels=frozenset(row["labels"]),
            size_bytes=row["size_bytes"],
            is_whole=row["is_whole"],
        )
        for row in rows
    ]


async def expect(reader: TenantReader, tsquery: str, accounts: Collection[UUID] | None) -> int:
    """About how many messages have these words."""
    rows = await reader.rows(
        "SELECT estimate_messages($4::text::tsquery, coalesce($5, caller.accounts::uuid[]))",
        tsquery,
        None if accounts is None else list(accounts),
    )
    return round(rows[0][0])


async def ranks(reader: TenantReader, message_ids: list[UUID], tsquery: str) -> dict[UUID, float]:
    """How much each of these messages has of the words asked for, and where."""
    rows = await reader.rows(
        """
        SELECT message_id,
               ts_rank('{0.1, 0.3, 0.5, 1.0}', words, $6::text::tsquery, 1)::float8 AS rank
          FROM (
            SELECT message_id, tenant_id, account_id, words FROM words_live
            UNION ALL
            SELECT message_id, tenant_id, account_id, words FROM words_arriving
          ) AS held
         WHERE tenant_id = caller.tenant_id AND account_id = ANY($4) AND message_id = ANY($5)
        """,
        reader.caller.account_ids,
        message_ids,
        tsquery,
    )
    return {row["message_id"]: row["rank"] for row in rows}


async def verdicts(
    reader: TenantReader, message_ids: list[UUID], tsqueries: list[str]
) -> dict[UUID, list[bool]]:
    """For each message whether each of these is in it."""
    rows = await reader.rows(
        """
        SELECT message_id,
               ARRAY(SELECT words @@ asked::tsquery
                       FROM unnest($6::text[]) WITH ORDINALITY AS leaf (asked, n)
                      ORDER BY n) AS found
          FROM (
            SELECT message_id, tenant_id, account_id, words FROM words_live
            UNION ALL
            SELECT message_id, tenant_id, account_id, words FROM words_arriving
          ) AS held
         WHERE tenant_id = caller.tenant_id AND account_id = ANY($4) AND message_id = ANY($5)
        """,
        reader.caller.account_ids,
        message_ids,
        tsqueries,
    )
    return {row["message_id"]: row["found"] for row in rows}


async def texts(reader: TenantReader, message_ids: list[UUID]) -> dict[UUID, Kept]:
    """What these messages say."""
    rows = await reader.rows(
        """
        SELECT message_id, subject, sender, recipients_to, recipients_cc, recipients_bcc,
               filenames, list_id, header_id, preview, body, attachment_count, traits, text_is_cut
          FROM document_text
         WHERE tenant_id = caller.tenant_id AND account_id = ANY($4) AND message_id = ANY($5)
        """,
        reader.caller.account_ids,
        message_ids,
    )
    return {row["message_id"]: kept_of_row(row) for row in rows}


async def visible_of(reader: TenantReader, message_ids: list[UUID]) -> list[UUID]:
    """Those of these messages that the caller may see."""
    rows = await reader.rows(
        """
        SELECT message_id FROM document_text
         WHERE tenant_id = caller.tenant_id AND account_id = ANY($4) AND message_id = ANY($5)
        """,
        reader.caller.account_ids,
        message_ids,
    )
    return [row["message_id"] for row in rows]


async def cut_texts(reader: TenantReader, most: int) -> int:
    """How many messages have more text than is searched; no more than `most` are counted."""
    rows = await reader.rows(
        """
        SELECT count(*) FROM (
            SELECT FROM document_text
             WHERE tenant_id = caller.tenant_id AND account_id = ANY($4) AND text_is_cut
             LIMIT $5
        ) AS cut
        """,
        reader.caller.account_ids,
        most,
    )
    return rows[0][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a line of a message is taken from."""

    body: str
    preview: str
    is_cut: bool


async def bodies(reader: TenantReader, message_ids: list[UUID]) -> dict[UUID, Text]:
    """What a page shows of these messages."""
    rows = await reader.rows(
        """
        SELECT message_id, body, preview, text_is_cut
          FROM document_text
         WHERE tenant_id = caller.tenant_id AND account_id = ANY($4) AND message_id = ANY($5)
        """,
        reader.caller.account_ids,
        message_ids,
    )
    return {
        message_id: Text(body=body, preview=preview, is_cut=is_cut)
        for message_id, body, preview, is_cut in rows
    }


async def letters(reader: TenantReader, asked: Asked, wanted: int) -> dict[UUID, Letter]:
    """Who wrote the newest messages that match to whom."""
    rows = await reader.rows(
        f"""
        SELECT found.message_id, found.received_at, written.sender, written.recipients
          FROM {_FOUND}
         CROSS JOIN LATERAL (
            SELECT sender, recipients_to || recipients_cc AS recipients
              FROM document_text
             WHERE message_id = found.message_id
               AND tenant_id = caller.tenant_id AND account_id = found.account_id
             LIMIT 1
         ) AS written
        """,  # noqa: S608 - all of it is ours
        *_arguments(asked, wanted),
    )
    return {
        message_id: Letter(received_at=received_at, sender=sender, recipients=recipients)
        for message_id, received_at, sender, recipients in rows
    }


def kept_of_row(row: asyncpg.Record | Mapping[str, Any]) -> Kept:
    """What a message says, from its row of `document_text`."""
    return Kept(
        subject=row["subject"],
        sender=row["sender"],
        recipients_to=row["recipients_to"],
        recipients_cc=row["recipients_cc"],
        recipients_bcc=row["recipients_bcc"],
        filenames=row["filenames"],
        list_id=row["list_id"],
        header_id=row["header_id"],
        preview=row["preview"],
        body=row["body"],
        attachment_count=row["attachment_count"],
        traits=row["traits"],
        text_is_cut=row["text_is_cut"],
    )
