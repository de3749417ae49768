"""Find the messages that match, for one caller."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.indexer.actions.matching import matches
from services.indexer.actions.understanding import problem_of, reader_of, said_in
from services.indexer.domain.meaning import meaning_of
from services.indexer.domain.plan import Plan, plan_of
from services.indexer.domain.said import QueryInvalid
from services.indexer.domain.snippet import Snippet, pattern_of, snippet, words_shown
from services.indexer.store.search import Candidate, bodies, expect, ranks, visible_of
from shared.contracts.envelope import Problem
from shared.contracts.search import (
    Found,
    Order,
    SearchAnswer,
    SearchMessages,
    Total,
    TotalKind,
    Unit,
)
from shared.db import Pool, TenantReader

MOST = 200
MOST_WITHOUT_LINES = 2_000
EXACT_TOTAL = 1_000  # more are estimated
RANKED = 1_000  # of the newest that match; to rank every one of a common word takes too long
_UNCOUNTED = 10 * EXACT_TOTAL  # so many are expected: to count them would tell nothing
_DEADLINE_SHARE = 0.9  # of the asker's: the answer has a way to go
_COUNTING_SHARE = 0.5

_SCORE_DIGITS = 9


@dataclass(slots=True)
class _Page:
    """What was found so far."""

    found: list[Candidate] = field(default_factory=list[Candidate])
    ranks: dict[UUID, float] = field(default_factory=dict[UUID, float])
    anchor: tuple[datetime, UUID] | None = None


async def search_messages(query: SearchMessages, pool: Pool, now: datetime) -> SearchAnswer:
    """The page of messages asked for, or what is wrong with the query.

    When time runs out, what was found so far is an answer, with more to come.
    """
    try:
        plan = plan_of(meaning_of(said_in(query), reader_of(query, now)))
    except QueryInvalid as error:
        return SearchAnswer(problem=problem_of(error))
    limit = max(1, min(query.limit, MOST if query.with_lines else MOST_WITHOUT_LINES))
    reader = TenantReader(pool, query.caller)
    page = _Page()
    shown: dict[UUID, _Shown] = {}
    total: Total | None = None
    try:
        async with asyncio.timeout(query.deadline_seconds * _DEADLINE_SHARE):
            if query.order is Order.RELEVANCE:
                await _find_relevant(reader, query, plan, limit + 1, page)
            elif query.unit is Unit.THREADS:
                await _find_threads(reader, query, plan, limit + 1, page)
            else:
                await _find(reader, query, plan, limit + 1, page.found)
            shown = (
                await _shown(reader, plan, page.found[:limit])
                if query.with_lines
                else await _named(reader, page.found[:limit])
            )
            if query.with_total:
                total = await _total(reader, query, plan)
    except TimeoutError:
        if not page.found:
            return _problem("search_too_slow", "Nothing was found in time: narrow the search.")
        return _answer(page, page.found[:limit], shown, total, more=True)
    # What row-level security, or another's delete meanwhile, hides has no text and is not shown.
    visible = [one for one in page.found[:limit] if one.message_id in shown]
    return _answer(page, visible, shown, total, more=len(page.found) > limit)


async def _find(
    reader: TenantReader,
    query: SearchMessages,
    plan: Plan,
    wanted: int,
    found: list[Candidate],
) -> None:
    """The newest; they are added as they are found."""
    async with aclosing(matches(reader, plan, at_once=wanted, before=query.before)) as batches:
        async for batch in batches:
            found += batch
            if len(found) >= wanted:
                del found[wanted:]
                return


async def _find_threads(
    reader: TenantReader, query: SearchMessages, plan: Plan, wanted: int, page: _Page
) -> None:
    """The newest match of each thread, but not of those that a page before showed."""
    seen: set[UUID] = set()
    async with aclosing(matches(reader, plan, at_once=wanted, before=query.before)) as batches:
        async for batch in batches:
            heads = {
                thread_id: one for thread_id, one in _heads(batch).items() if thread_id not in seen
            }
            seen |= heads.keys()
            shown = await _shown_before(reader, query, plan, frozenset(heads))
            page.found += [one for thread_id, one in heads.items() if thread_id not in shown]
            if len(page.found) >= wanted:
                del page.found[wanted:]
                return


def _heads(matching: Sequence[Candidate]) -> dict[UUID, Candidate]:
    """Of each thread its first match. A message without a thread is one by itself."""
    heads: dict[UUID, Candidate] = {}
    for one in matching:
        heads.setdefault(one.thread_id or one.message_id, one)
    return heads


async def _shown_before(
    reader: TenantReader, query: SearchMessages, plan: Plan, threads: frozenset[UUID]
) -> set[UUID]:
    """Those of these threads whose newest match stood on a page before."""
    shown: set[UUID] = set()
    if query.before is None or not threads:
        return shown
    async with aclosing(
        matches(
            reader,
            plan,
            at_once=RANKED,
            threads=threads,
            since=query.before[0],
        )
    ) as batches:
        async for batch in batches:
            shown |= _heads([one for one in batch if one.place >= query.before]).keys()
    return shown


async def _find_relevant(
    reader: TenantReader, query: SearchMessages, plan: Plan, wanted: int, page: _Page
) -> None:
    """The best of the newest. Pages go on among those that the first page was taken from."""
    candidates: list[Candidate] = []
    await _find(reader, query, plan, RANKED, candidates)
    if not candidates:
        return
    newest = candidates[0].place
    page.anchor = query.before or (newest[0], UUID(int=min(newest[1].int + 1, (1 << 128) - 1)))
    if plan.tsquery is not None:
        found = await ranks(reader, [one.message_id for one in candidates], plan.tsquery)
        page.ranks.update(
            (message_id, round(rank, _SCORE_DIGITS)) for message_id, rank in found.items()
        )

    def score(one: Candidate) -> tuple[float, UUID]:
        return page.ranks.get(one.message_id, 0.0), one.message_id

    best = sorted(candidates, key=score, reverse=True)
    if query.unit is Unit.THREADS:
        best = list(_heads(best).values())
    behind = query.ranked_after
    page.found += [one for one in best if behind is None or score(one) < behind][:wanted]


async def _total(reader: TenantReader, query: SearchMessages, plan: Plan) -> Total:
    """How many match, exactly where they are not many."""
    expected = await expect(reader, plan.tsquery, plan.accounts) if plan.tsquery else 0
    if plan.is_words_alone and expected > _UNCOUNTED:
        return Total(messages=expected, kind=TotalKind.ESTIMATED)
    count = 0
    try:
        async with (
            asyncio.timeout(query.deadline_seconds * _COUNTING_SHARE),
            aclosing(matches(reader, plan, at_once=EXACT_TOTAL + 1)) as batches,
        ):
            async for batch in batches:
                count += len(batch)
                if count > EXACT_TOTAL:
                    break
            else:
                return Total(messages=count, kind=TotalKind.EXACT)
    except TimeoutError:
        return Total(messages=count, kind=TotalKind.AT_LEAST)
    if plan.is_words_alone:
        return Total(messages=max(expected, count), kind=TotalKind.ESTIMATED)
    return Total(messages=EXACT_TOTAL + 1, kind=TotalKind.AT_LEAST)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a message of the page shows of itself."""

    line: Snippet
    text_is_cut: bool


_NOTHING = _Shown(Snippet("", ()), text_is_cut=False)


async def _shown(reader: TenantReader, plan: Plan, page: Sequence[Candidate]) -> dict[UUID, _Shown]:
    """A line of each message of the page."""
    texts = await bodies(reader, [one.message_id for one in page])
    pattern = pattern_of(words_shown(plan.tree))

    def lines() -> dict[UUID, _Shown]:
        return {
            message_id: _Shown(snippet(text.body, pattern, text.preview), text.is_cut)
            for message_id, text in texts.items()
        }

    return await asyncio.to_thread(lines)


async def _named(reader: TenantReader, page: Sequence[Candidate]) -> dict[UUID, _Shown]:
    """The messages of the page that the caller may see, and nothing of what is in them."""
    visible = await visible_of(reader, [one.message_id for one in page])
    return dict.fromkeys(visible, _NOTHING)


def _answer(
    page: _Page,
    visible: Sequence[Candidate],
    shown: dict[UUID, _Shown],
    total: Total | None,
    *,
    more: bool,
) -> SearchAnswer:
    found = (
        Found(
            message_id=one.message_id,
            received_at=one.received_at,
            snippet=line.line.text,
            marks=line.line.marks,
            rank=page.ranks.get(one.message_id, 0.0),
            text_is_cut=line.text_is_cut,
        )
        for one in visible
        for line in (shown.get(one.message_id, _NOTHING),)
    )
    return SearchAnswer(found=tuple(found), more=more, total=total, anchor=page.anchor)


def _problem(code: str, detail: str) -> SearchAnswer:
    return SearchAnswer(problem=Problem(code=code, detail=detail))
