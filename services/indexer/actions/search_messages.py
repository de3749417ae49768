"""Find the messages that match, newest first, for one caller."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from services.indexer.domain.document import Document, Kept, document_of
from services.indexer.domain.plan import Plan, plan_of, tsquery_of
from services.indexer.domain.query import QueryInvalid, parse
from services.indexer.domain.snippet import pattern_of, snippet, words_shown
from services.indexer.domain.tree import Mark, Words, has_words, holds, leaves
from services.indexer.store.search import Asked, Candidate, find, texts, verdicts
from shared.contracts.envelope import Caller, Problem
from shared.contracts.search import Found, SearchAnswer, SearchMessages
from shared.db import Connection, Pool, tenant_transaction

MOST = 200
_SLICE_MOST = 2_000
_DEADLINE_SHARE = 0.9  # of the asker's: the answer has a way to go
_HIDDEN = ["\\deleted"]  # marked for removal; lists hide it too
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = (datetime.max.replace(tzinfo=UTC), UUID(int=(1 << 128) - 1))


async def search_messages(query: SearchMessages, pool: Pool, now: datetime) -> SearchAnswer:
    """The page of messages asked for, or what is wrong with the query.

    When time runs out, what was found so far is an answer, with more to come.
    """
    try:
        plan = plan_of(parse(query.text, now))
    except QueryInvalid as error:
        return _problem("query_invalid", error.detail, error.position)
    limit = max(1, min(query.limit, MOST))
    found: list[Candidate] = []
    shown: dict[UUID, str] = {}
    try:
        async with (
            asyncio.timeout(query.deadline_seconds * _DEADLINE_SHARE),
            tenant_transaction(pool, query.caller) as connection,
        ):
            await _find(connection, query, plan, limit + 1, found)
            shown = await _shown(connection, query.caller, plan, found[:limit])
    except TimeoutError:
        if not found:
            return _problem("search_too_slow", "Nothing was found in time: narrow the search.")
        return _answer(found[:limit], shown, more=True)
    # What row-level security, or another's delete meanwhile, hides has no text and is not shown.
    page = [one for one in found[:limit] if one.message_id in shown]
    return _answer(page, shown, more=len(found) > limit)


async def _find(
    connection: Connection,
    query: SearchMessages,
    plan: Plan,
    wanted: int,
    found: list[Candidate],
) -> None:
    """Ask the index until there are enough answers; they are added as they are found."""
    since = plan.since or _FIRST
    until = (plan.until, UUID(int=0)) if plan.until else _LAST
    before = min(until, query.before) if query.before else until
    at_once = wanted
    while True:
        asked = Asked(
            tsquery=plan.tsquery,
            required=plan.required,
            forbidden=[*plan.forbidden, *_HIDDEN],
            since=since,
            before=before,
        )
        candidates = await find(connection, asked, at_once)
        found += await _decided(connection, query.caller, plan, candidates)
        if len(candidates) < at_once or len(found) >= wanted:
            del found[wanted:]
            return
        before = (candidates[-1].received_at, candidates[-1].message_id)
        at_once = min(at_once * 4, _SLICE_MOST)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of a candidate: what the index says of its words, or else its text."""

    candidate: Candidate
    verdicts: dict[Words | Mark, bool]
    document: Document | None

    @property
    def keywords(self) -> frozenset[str]:
        return self.candidate.keywords

    @property
    def received_at(self) -> datetime:
        return self.candidate.received_at

    @property
    def size_bytes(self) -> int:
        return self.candidate.size_bytes

    def has(self, leaf: Words | Mark) -> bool:
        if self.document is not None:
            return has_words(self.document, leaf)
        return self.verdicts[leaf]


async def _decided(
    connection: Connection, caller: Caller, plan: Plan, candidates: Sequence[Candidate]
) -> list[Candidate]:
    """The candidates that are answers: what the index could not decide is decided here."""
    partial = [one.message_id for one in candidates if not one.is_whole and plan.depends_on_places]
    kept = await texts(connection, caller, partial) if partial else {}
    asked = (
        [leaf for leaf in leaves(plan.rest) if isinstance(leaf, Words | Mark)] if plan.rest else []
    )
    whole = [one.message_id for one in candidates if one.message_id not in kept]
    said = (
        await verdicts(connection, caller, whole, [tsquery_of(leaf) for leaf in asked])
        if asked
        else {}
    )
    return await asyncio.to_thread(_judge, plan, candidates, kept, asked, said)


def _judge(
    plan: Plan,
    candidates: Sequence[Candidate],
    kept: dict[UUID, Kept],
    asked: Sequence[Words | Mark],
    said: dict[UUID, list[bool]],
) -> list[Candidate]:
    answers: list[Candidate] = []
    for one in candidates:
        text = kept.get(one.message_id)
        if text is not None:
            fits = holds(plan.tree, _Seen(one, {}, document_of(text)))
        elif plan.rest is not None:
            if asked and one.message_id not in said:
                continue  # gone meanwhile
            found = dict(zip(asked, said.get(one.message_id, ()), strict=True))
            fits = holds(plan.rest, _Seen(one, found, None))
        else:
            fits = True
        if fits:
            answers.append(one)
    return answers


async def _shown(
    connection: Connection, caller: Caller, plan: Plan, page: Sequence[Candidate]
) -> dict[UUID, str]:
    """A line of each message of the page."""
    kept = await texts(connection, caller, [one.message_id for one in page])
    pattern = pattern_of(words_shown(plan.tree))

    def lines() -> dict[UUID, str]:
        return {
            message_id: snippet(text.body, pattern, text.preview)
            for message_id, text in kept.items()
        }

    return await asyncio.to_thread(lines)


def _answer(page: Sequence[Candidate], shown: dict[UUID, str], *, more: bool) -> SearchAnswer:
    found = (
        Found(
            message_id=one.message_id,
            received_at=one.received_at,
            snippet=shown.get(one.message_id, ""),
        )
        for one in page
    )
    return SearchAnswer(found=tuple(found), more=more)


def _problem(code: str, detail: str, position: int | None = None) -> SearchAnswer:
    return SearchAnswer(problem=Problem(code=code, detail=detail, position=position))
