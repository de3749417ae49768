"""A memory to try things on: the real subscribers on a real PostgreSQL."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest_asyncio

from services.indexer import subscribers
from services.indexer.actions.explain_search import explain_search
from services.indexer.actions.move_arrived import move_arrived
from services.indexer.store.codec import teach_tsvector
from services.indexer.world import World
from shared.contracts.account import AccountRemoved, AccountRetold
from shared.contracts.audit import MailboxAudited
from shared.contracts.envelope import Caller, Event
from shared.contracts.mail import (
    MessagesChanged,
    MessagesFilled,
    MessagesRetold,
    MessagesSynced,
    MessagesVanished,
)
from shared.contracts.search import (
    ExplainSearch,
    Explanation,
    NamedAccount,
    SearchAnswer,
    SearchMessages,
)
from tests.indexer.mail import ACCOUNT, BEGINNING, TENANT
from tests.platform import Platform

_HEARD: dict[type, Any] = {
    MessagesSynced: subscribers.on_messages_synced,
    MessagesFilled: subscribers.on_messages_filled,
    MessagesRetold: subscribers.on_messages_retold,
    AccountRetold: subscribers.on_account_retold,
    MessagesChanged: subscribers.on_messages_changed,
    MessagesVanished: subscribers.on_messages_vanished,
    AccountRemoved: subscribers.on_account_removed,
    MailboxAudited: subscribers.on_mailbox_audited,
}

_KEPT = {
    "document": "SELECT * FROM indexer.document",
    "words": "SELECT * FROM indexer.words_live UNION ALL SELECT * FROM indexer.words_arriving",
    "document_text": "SELECT * FROM indexer.document_text",
}


@dataclass(frozen=True, slots=True)
class Indexer:
    """What a test says to the memory and asks of it."""

    world: World
    admin: asyncpg.Connection

    async def hears(self, *events: Event) -> None:
        """Each of these, in this order."""
        for event in events:
            await self.hears_at_once(event)

    async def hears_at_once(self, *events: Event) -> None:
        """These of one kind in one batch."""
        await _HEARD[type(events[0])](list(events), self.world)

    async def asks(
        self,
        text: str,
        *,
        accounts: Sequence[UUID] = (ACCOUNT,),
        tenant: UUID = TENANT,
        limit: int = 200,
        before: tuple[datetime, UUID] | None = None,
        named: Sequence[NamedAccount] = (),
        **more: Any,
    ) -> SearchAnswer:
        return await subscribers.answer_search_messages(
            SearchMessages(
                caller=Caller(tenant_id=tenant, account_ids=tuple(accounts)),
                text=text,
                limit=limit,
                before=before,
                accounts=tuple(named),
                **more,
            ),
            self.world,
        )

    def explains(self, text: str = "", **more: Any) -> Explanation:
        caller = Caller(tenant_id=TENANT, account_ids=(ACCOUNT,))
        return explain_search(ExplainSearch(caller=caller, text=text, **more), BEGINNING)

    async def finds(self, text: str, **more: Any) -> list[UUID]:
        answer = await self.asks(text, **more)
        assert answer.problem is None, answer.problem
        return [found.message_id for found in answer.found]

    async def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that is known of messages."""
        return {
            kind: [dict(row) for row in rows] for kind, rows in (await self.kept("true")).items()
        }

    async def kept(self, where: str, *values: Any) -> dict[str, list[asyncpg.Record]]:
        """Rows by what they are for; words may stand in one of two tables, never in both."""
        kept = {
            kind: await self.admin.fetch(
                f"SELECT * FROM ({rows}) AS kept WHERE {where} ORDER BY message_id", *values
            )
            for kind, rows in _KEPT.items()
        }
        assert len({row["message_id"] for row in kept["words"]}) == len(kept["words"])
        return kept

    async def waiting(self) -> int:
        """How many messages wait to be put into the index."""
        return await self.admin.fetchval("SELECT count(*) FROM indexer.words_arriving")

    async def puts_in_order(self, rows_at_once: int = 10_000) -> int:
        """One step of putting what waits into the index."""
        return await move_arrived(self.world.pool, rows_at_once=rows_at_once)

    async def forgets_everything(self) -> None:
        """A loss of all rows; what is on the bus stays there."""
        await self.admin.execute(
            """
            TRUNCATE indexer.document, indexer.words_live, indexer.words_arriving,
                     indexer.document_text, indexer.account, indexer.retelling
            """
        )


@pytest_asyncio.fixture(loop_scope="session")
async def indexer(platform: Platform) -> AsyncIterator[Indexer]:
    admin = await asyncpg.connect(platform.admin_database_url)
    async with (
        asyncpg.create_pool(
            platform.database_url("indexer"), min_size=1, max_size=4, init=teach_tsvector
        ) as pool,
        asyncpg.create_pool(
            platform.database_url("indexer_request"), min_size=1, max_size=4
        ) as request_pool,
    ):
        yield Indexer(World(pool=pool, request_pool=request_pool), admin)
    await admin.close()
