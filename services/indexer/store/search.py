"""Reading on behalf of a caller: every query names tenant and accounts, and so do the policies."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.indexer.domain.acquaintance import Letter
from services.indexer.domain.document import Kept
from shared.contracts.envelope import Caller
from shared.db import Connection


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


async def find(connection: Connection, asked: Asked, wanted: int) -> list[Candidate]:
    """The newest messages that match, inside the transaction's tenant and accounts."""
    rows = await connection.fetch(
        """
        SELECT message_id, account_id, mailbox_id, thread_id, received_at, keywords, labels,
               size_bytes, is_whole
          FROM find_messages($1::text::tsquery, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
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


async def expect(connection: Connection, tsquery: str, accounts: Collection[UUID] | None) -> int:
    """About how many messages have these words."""
    return round(
        await connection.fetchval(
            "SELECT estimate_messages($1::text::tsquery, $2)",
            tsquery,
            None if accounts is None else list(accounts),
        )
    )


async def ranks(
    connection: Connection, caller: Caller, message_ids: list[UUID], tsquery: str
) -> dict[UUID, float]:
    """How much each of these messages has of the words asked for, and where."""
    rows = await connection.fetch(
        """
        SELECT message_id,
               ts_rank('{0.1, 0.3, 0.5, 1.0}', words, $4::text::tsquery, 1)::float8 AS rank
          FROM (
            SELECT message_id, tenant_id, account_id, words FROM words_live
            UNION ALL
            SELECT message_id, tenant_id, account_id, words FROM words_arriving
          ) AS held
         WHERE tenant_id = $1 AND account_id = ANY($2) AND message_id = ANY($3)
        """,
        caller.tenant_id,
        caller.account_ids,
        message_ids,
        tsquery,
    )
    return {row["message_id"]: row["rank"] for row in rows}


async def verdicts(
    connection: Connection, caller: Caller, message_ids: list[UUID], tsqueries: list[str]
) -> dict[UUID, list[bool]]:
    """For each message whether each of these is in it."""
    rows = await connection.fetch(
        """
        SELECT message_id,
               ARRAY(SELECT words @@ asked::tsquery
                       FROM unnest($4::text[]) WITH ORDINALITY AS leaf (asked, n)
                      ORDER BY n) AS found
          FROM (
            SELECT message_id, tenant_id, account_id, words FROM words_live
            UNION ALL
            SELECT message_id, tenant_id, account_id, words FROM words_arriving
          ) AS held
         WHERE tenant_id = $1 AND account_id = ANY($2) AND message_id = ANY($3)
        """,
        caller.tenant_id,
        caller.account_ids,
        message_ids,
        tsqueries,
    )
    return {row["message_id"]: row["found"] for row in rows}


async def texts(
    connection: Connection, caller: Caller, message_ids: list[UUID]
) -> dict[UUID, Kept]:
    """What these messages say."""
    rows = await connection.fetch(
        """
        SELECT message_id, subject, sender, recipients_to, recipients_cc, recipients_bcc,
               filenames, list_id, header_id, preview, body, attachment_count, traits, text_is_cut
          FROM document_text
         WHERE tenant_id = $1 AND account_id = ANY($2) AND message_id = ANY($3)
        """,
        caller.tenant_id,
        caller.account_ids,
        message_ids,
    )
    return {row["message_id"]: kept_of_row(row) for row in rows}


async def visible_of(connection: Connection, caller: Caller, message_ids: list[UUID]) -> list[UUID]:
    """Those of these messages that the caller may see."""
    rows = await connection.fetch(
        """
        SELECT message_id FROM document_text
         WHERE tenant_id = $1 AND account_id = ANY($2) AND message_id = ANY($3)
        """,
        caller.tenant_id,
        caller.account_ids,
        message_ids,
    )
    return [row["message_id"] for row in rows]


async def cut_texts(connection: Connection, caller: Caller, most: int) -> int:
    """How many messages have more text than is searched; no more than `most` are counted."""
    return await connection.fetchval(
        """
        SELECT count(*) FROM (
            SELECT FROM document_text
             WHERE tenant_id = $1 AND account_id = ANY($2) AND text_is_cut
             LIMIT $3
        ) AS cut
        """,
        caller.tenant_id,
        caller.account_ids,
        most,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a line of a message is taken from."""

    body: str
    preview: str
    is_cut: bool


async def bodies(
    connection: Connection, caller: Caller, message_ids: list[UUID]
) -> dict[UUID, Text]:
    """What a page shows of these messages."""
    rows = await connection.fetch(
        """
        SELECT message_id, body, preview, text_is_cut
          FROM document_text
         WHERE tenant_id = $1 AND account_id = ANY($2) AND message_id = ANY($3)
        """,
        caller.tenant_id,
        caller.account_ids,
        message_ids,
    )
    return {
        message_id: Text(body=body, preview=preview, is_cut=is_cut)
        for message_id, body, preview, is_cut in rows
    }


async def letters(
    connection: Connection, caller: Caller, message_ids: list[UUID]
) -> dict[UUID, Letter]:
    """Who wrote these messages to whom."""
    rows = await connection.fetch(
        """
        SELECT message_id, received_at, sender, recipients_to || recipients_cc AS recipients
          FROM document_text
          JOIN document USING (message_id, tenant_id, account_id)
         WHERE tenant_id = $1 AND account_id = ANY($2) AND message_id = ANY($3)
        """,
        caller.tenant_id,
        caller.account_ids,
        message_ids,
    )
    return {
        row["message_id"]: Letter(
            received_at=row["received_at"], sender=row["sender"], recipients=row["recipients"]
        )
        for row in rows
    }


def kept_of_row(row: Mapping[str, Any]) -> Kept:
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
