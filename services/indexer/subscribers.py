"""What the memory hears and answers: one thin function per channel."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec

from services.indexer.actions.change_messages import change_messages
from services.indexer.actions.compare_audits import compare_audits
from services.indexer.actions.count_cut_texts import count_cut_texts
from services.indexer.actions.count_remains import count_remains
from services.indexer.actions.count_searchable import count_searchable
from services.indexer.actions.end_retell import end_retell
from services.indexer.actions.explain_search import explain_search
from services.indexer.actions.forget_messages import forget_messages
from services.indexer.actions.index_messages import index_messages
from services.indexer.actions.index_retold import index_retold
from services.indexer.actions.reading import read_in_thread
from services.indexer.actions.remove_accounts import remove_accounts
from services.indexer.actions.search_messages import search_messages
from services.indexer.actions.suggest_people import suggest_people
from services.indexer.metrics import DOCUMENT_SECONDS, DOCUMENTS, LAG_SECONDS, QUERY_SECONDS
from services.indexer.store.documents import Shelf
from services.indexer.world import World
from shared.bus import Ears
from shared.contracts.account import AccountRemoved, AccountRetold
from shared.contracts.audit import CountSearchable, MailboxAudited, SearchableAnswer
from shared.contracts.hints import CopyProgressed
from shared.contracts.mail import (
    MessagesChanged,
    MessagesFilled,
    MessagesRetold,
    MessagesSynced,
    MessagesVanished,
)
from shared.contracts.remains import CountIndexerRemains, Remains
from shared.contracts.search import (
    ExplainSearch,
    Explanation,
    PeopleSuggested,
    SearchAnswer,
    SearchMessages,
    SuggestPeople,
)

LISTENER = "indexer"

ears: Ears[World] = Ears(LISTENER)


@ears.hear(MessagesSynced)
async def on_messages_synced(events: list[MessagesSynced], world: World) -> None:
    """News can be found."""
    with _timed():
        count = await index_messages(events, Shelf.LIVE, read_in_thread, world.pool)
        DOCUMENTS.labels("synced").inc(count)
    now = datetime.now(UTC)
    for event in events:
        LAG_SECONDS.observe(max(0.0, (now - event.occurred_at).total_seconds()))


@ears.hear(MessagesFilled)
async def on_messages_filled(events: list[MessagesFilled], world: World) -> None:
    """What was there before us can be found."""
    async with world.turn():
        with _timed():
            count = await index_messages(events, Shelf.ARRIVING, world.read_fill, world.pool)
            DOCUMENTS.labels("synced").inc(count)
    world.arrivals.note()


@ears.notice(CopyProgressed)
async def notice_copy_progressed(hint: CopyProgressed, world: World) -> None:
    """How much of a first copy is still to come, so that words know what they wait for."""
    world.copies.note(hint.account_id, to_come=hint.to_come, seconds_left=hint.seconds_left)


@ears.hear(MessagesRetold)
async def on_messages_retold(events: list[MessagesRetold], world: World) -> None:
    """What was lost here, if anything, comes back."""
    ours = [event for event in events if event.listener == LISTENER]
    if ours:
        with _timed():
            count = await index_retold(ours, world.read_fill, world.pool)
            DOCUMENTS.labels("retold").inc(count)
        world.arrivals.note()


@ears.hear(AccountRetold)
async def on_account_retold(events: list[AccountRetold], world: World) -> None:
    """What a complete retell did not name is let go of."""
    for event in events:
        if event.listener == LISTENER:
            await end_retell(event, world.pool)


@ears.hear(MessagesChanged)
async def on_messages_changed(events: list[MessagesChanged], world: World) -> None:
    """Messages are found where and as they now are."""
    with _timed():
        DOCUMENTS.labels("changed").inc(await change_messages(events, world.pool))


@ears.hear(MessagesVanished)
async def on_messages_vanished(events: list[MessagesVanished], world: World) -> None:
    """What is gone from the server is not found."""
    with _timed():
        DOCUMENTS.labels("vanished").inc(await forget_messages(events, world.pool))


@ears.hear(MailboxAudited)
async def on_mailbox_audited(events: list[MailboxAudited], world: World) -> None:
    """What can be found is held against what was proven."""
    await compare_audits(events, world.pool)


@ears.hear(AccountRemoved)
async def on_account_removed(events: list[AccountRemoved], world: World) -> None:
    """Nothing of a removed account is found; its rows go in the background."""
    await remove_accounts(events, world.pool)
    world.removed.set()


@ears.answer(SearchMessages)
async def answer_search_messages(query: SearchMessages, world: World) -> SearchAnswer:
    """Which messages have these words in them."""
    result = "failed"
    begun = time.perf_counter()
    try:
        answer = await search_messages(query, world.request_pool, datetime.now(UTC))
        result = "refused" if answer.problem else "found" if answer.found else "nothing"
        return answer
    finally:
        QUERY_SECONDS.labels(result).observe(time.perf_counter() - begun)


@ears.answer(ExplainSearch)
async def answer_explain_search(query: ExplainSearch, world: World) -> Explanation:
    """How a query is understood, and how much mail it does not see to its end."""
    explanation = explain_search(query, datetime.now(UTC))
    if explanation.problem is not None:
        return explanation
    cut_texts = await count_cut_texts(query.caller, world.request_pool)
    return msgspec.structs.replace(explanation, cut_texts=cut_texts)


@ears.answer(SuggestPeople)
async def answer_suggest_people(query: SuggestPeople, world: World) -> PeopleSuggested:
    """Whom somebody may mean."""
    return await suggest_people(query, world.request_pool)


@ears.answer(CountSearchable)
async def answer_count_searchable(query: CountSearchable, world: World) -> SearchableAnswer:
    """How many messages can be found."""
    return await count_searchable(query, world.request_pool)


@ears.answer(CountIndexerRemains)
async def answer_count_remains(query: CountIndexerRemains, world: World) -> Remains:
    """What is left of a tenant that was deleted."""
    return await count_remains(query, world.pool)


@contextmanager
def _timed() -> Generator[None]:
    result = "failed"
    begun = time.perf_counter()
    try:
        yield
        result = "ok"
    finally:
        DOCUMENT_SECONDS.labels(result).observe(time.perf_counter() - begun)
