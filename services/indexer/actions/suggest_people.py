"""Suggest whom somebody may mean, from the mail they have with people so called.

Nothing is kept for it: the newest mail to and from them is found by the words of its people, as any
search finds it, so that it is as fresh and as private.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from services.indexer.actions.matching import asked_of
from services.indexer.domain.acquaintance import Letter, acquainted
from services.indexer.domain.document import Field
from services.indexer.domain.meaning import Reader, meaning_of
from services.indexer.domain.plan import plan_of
from services.indexer.domain.said import Either, Every, Place, Said, Term
from services.indexer.domain.tokenise import has_words
from services.indexer.store.search import letters
from shared.contracts.search import PeopleSuggested, SuggestedPerson, SuggestPeople
from shared.db import Pool, TenantReader

MOST = 50
_LONGEST_PREFIX = 100
_LOOKED_AT = 60  # messages of each direction: who is written with shows in these
_LOOKED_AT_LONGER = 180  # where the index is not asked for all that was typed

_ONE_LETTER = len("a*")

_NOWHERE = Place()


async def suggest_people(query: SuggestPeople, pool: Pool) -> PeopleSuggested:
    """People by the beginning of a name or address, those most written with first."""
    prefix = query.prefix[:_LONGEST_PREFIX].replace("\0", " ")
    reader = Reader(now=datetime.now(UTC), accounts=query.accounts)
    source = TenantReader(pool, query.caller)
    # What the index finds too much, by parts of very long letters, is not so called below.
    found = await asyncio.gather(
        *(
            letters(source, asked_of(plan_of(meaning_of(said, reader))), newest)
            for said, newest in _questions(prefix, has_own=bool(query.accounts))
        )
    )
    met: dict[UUID, Letter] = {}
    for some in found:
        met |= some
    people = acquainted(met.values(), (one.email for one in query.accounts), prefix)
    return PeopleSuggested(
        people=tuple(
            SuggestedPerson(
                name=one.name,
                email=one.email,
                sent=one.sent,
                received=one.received,
                last_at=one.last_at,
            )
            for one in people[: max(1, min(query.limit, MOST))]
            if one.last_at is not None
        )
    )


def _questions(prefix: str, *, has_own: bool) -> Iterator[tuple[Said, int]]:
    """What finds the mail to them, and the mail from them, and how much of it to look at."""
    mine = _term(Field.FROM, "me")
    words = [word + "*" for word in prefix.split() if has_words(word)]
    # One letter begins so many names that to look each up takes longer than to read some more mail.
    telling = [word for word in words if len(word) > _ONE_LETTER]
    newest = _LOOKED_AT if len(telling) == len(words) else _LOOKED_AT_LONGER
    if has_own and telling:
        to_them = Either((_all_in(Field.TO, telling), _all_in(Field.CC, telling)))
        yield Every((mine, to_them)), newest
    elif has_own:
        yield mine, newest
    if words:
        yield _all_in(Field.FROM, telling), newest


def _all_in(field: Field, words: Sequence[str]) -> Said:
    return Every(tuple(_term(field, word) for word in words))


def _term(field: Field, value: str) -> Term:
    return Term(operator=field.value, value=value, at=_NOWHERE, value_at=_NOWHERE)
