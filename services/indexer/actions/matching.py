"""The messages that answer a query, batch by batch, newest first."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from services.indexer.domain.document import Document, Kept, document_of
from services.indexer.domain.plan import Plan, tsquery_of
from services.indexer.domain.tree import Mark, Words, has_words, holds, leaves
from services.indexer.store.search import Asked, Candidate, find, texts, verdicts
from shared.db import TenantReader

_SLICE_MOST = 2_000
_HIDDEN = ["\\deleted"]  # marked for removal; lists hide it too
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = (datetime.max.replace(tzinfo=UTC), UUID(int=(1 << 128) - 1))


async def matches(
    reader: TenantReader,
    plan: Plan,
    *,
    at_once: int,
    before: tuple[datetime, UUID] | None = None,
    threads: frozenset[UUID] | None = None,
    since: datetime | None = None,
) -> AsyncGenerator[list[Candidate]]:
    """All that match and stand behind `before`; more than `at_once` are asked for as it goes on."""
    asked = asked_of(plan, before=before, threads=threads, since=since)
    while True:
        candidates = await find(reader, asked, at_once)
        yield await _decided(reader, plan, candidates)
        if len(candidates) < at_once:
            return
        asked = replace(asked, before=candidates[-1].place)
        at_once = min(at_once * 4, max(at_once, _SLICE_MOST))


def asked_of(
    plan: Plan,
    *,
    before: tuple[datetime, UUID] | None = None,
    threads: frozenset[UUID] | None = None,
    since: datetime | None = None,
) -> Asked:
    """What the index is asked: every answer is among what it finds."""
    until = (plan.until, UUID(int=0)) if plan.until else _LAST
    return Asked(
        tsquery=plan.tsquery,
        required=plan.required,
        forbidden=[*plan.forbidden, *_HIDDEN],
        labels=plan.labels,
        accounts=plan.accounts,
        mailboxes=plan.mailboxes,
        other_mailboxes=plan.other_mailboxes,
        threads=_both(plan.threads, threads),
        since=max(plan.since or _FIRST, since or _FIRST),
        before=min(until, before) if before else until,
    )


def _both(one: frozenset[UUID] | None, other: frozenset[UUID] | None) -> frozenset[UUID] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


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
    def labels(self) -> frozenset[str]:
        return self.candidate.labels

    @property
    def mailbox_id(self) -> UUID | None:
        return self.candidate.mailbox_id

    @property
    def account_id(self) -> UUID:
        return self.candidate.account_id

    @property
    def thread_id(self) -> UUID | None:
        return self.candidate.thread_id

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
    reader: TenantReader, plan: Plan, candidates: Sequence[Candidate]
) -> list[Candidate]:
    """The candidates that are answers: what the index could not decide is decided here."""
    if plan.rest is None and (
        not plan.depends_on_places or all(one.is_whole for one in candidates)
    ):
        return list(candidates)
    partial = [one.message_id for one in candidates if not one.is_whole and plan.depends_on_places]
    if plan.rest is None and not partial:
        return list(candidates)
    kept = await texts(reader, partial) if partial else {}
    asked = (
        [leaf for leaf in leaves(plan.rest) if isinstance(leaf, Words | Mark)] if plan.rest else []
    )
    whole = [one.message_id for one in candidates if one.message_id not in kept]
    said = await verdicts(reader, whole, [tsquery_of(leaf) for leaf in asked]) if asked else {}
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
