"""The memory against a plain reading of every message in Python: same ids, same order."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from shared.contracts.mail import SyncedMessage
from tests.indexer.mail import a_filled_page, a_message, a_page

WORDS = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kite", "antler"]
PEOPLE = ["Ann <ann@one.example>", "Bob Cat <bob@two.example>", "Dog <dog.fox@one.example>"]


@dataclass(frozen=True)
class Asked:
    """A query as it is typed, and as anybody understands it."""

    text: str
    fits: Callable[[SyncedMessage], bool]


def split(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def fields(message: SyncedMessage) -> dict[str, list[list[str]]]:
    content = message.content
    assert content.sender
    return {
        "subject": [split(content.subject)],
        "from": [split(f"{content.sender.name} {content.sender.email}")],
        "to": [split(f"{person.name} {person.email}") for person in content.to],
        "body": [split(content.text)],
        "filename": [split(part.name) for part in content.attachments],
    }


def has(message: SyncedMessage, phrase: list[str], field: str | None, *, begun: bool) -> bool:
    texts = fields(message)
    places = texts[field] if field else [place for many in texts.values() for place in many]

    def is_at(place: list[str], start: int) -> bool:
        there = place[start : start + len(phrase)]
        return there[:-1] == phrase[:-1] and (
            there[-1].startswith(phrase[-1]) if begun else there[-1] == phrase[-1]
        )

    return any(
        is_at(place, start) for place in places for start in range(len(place) - len(phrase) + 1)
    )


def a_leaf(chance: random.Random) -> Asked:
    kind = chance.randrange(10)
    if kind == 0:
        keyword, name = chance.choice([("\\Flagged", "starred"), ("\\Seen", "read")])
        return Asked(f"is:{name}", lambda message: keyword in message.state.keywords)
    if kind == 1:
        return Asked("has:attachment", lambda message: bool(message.content.attachments))
    field = chance.choice([None, None, "subject", "from", "to", "body", "filename"])
    before = f"{field}:" if field else ""
    if kind in (2, 3):
        phrase = chance.choices(WORDS, k=2)
        return Asked(
            f'{before}"{" ".join(phrase)}"',
            lambda message: has(message, phrase, field, begun=False),
        )
    word = chance.choice(WORDS)
    if kind == 4:
        return Asked(f"{before}{word[:2]}*", lambda m: has(m, [word[:2]], field, begun=True))
    return Asked(f"{before}{word}", lambda message: has(message, [word], field, begun=False))


def a_query(chance: random.Random, depth: int = 3) -> Asked:
    kind = chance.randrange(6) if depth else 0
    if kind < 2:
        return a_leaf(chance)
    if kind == 2:
        inner = a_query(chance, depth - 1)
        return Asked(f"-({inner.text})", lambda message: not inner.fits(message))
    left, right = a_query(chance, depth - 1), a_query(chance, depth - 1)
    if kind == 3:
        return Asked(f"({left.text} OR {right.text})", lambda m: left.fits(m) or right.fits(m))
    return Asked(f"({left.text}) {right.text}", lambda m: left.fits(m) and right.fits(m))


def some_mail(chance: random.Random, count: int) -> list[SyncedMessage]:
    def words(least: int, most: int) -> str:
        return chance.choice([" ", ", ", "-"]).join(
            chance.choices(WORDS, k=chance.randint(least, most))
        )

    return [
        a_message(
            words(1, 4),
            # Some are so long that their tsvector lacks places.
            words(3000, 3500) if chance.random() < 0.05 else words(0, 8),
            sender=chance.choice(PEOPLE),
            to=chance.sample(PEOPLE, chance.randint(0, 3)),
            files=[words(1, 2) + ".pdf"] if chance.random() < 0.3 else [],
            keywords=[k for k in ("\\Seen", "\\Flagged") if chance.random() < 0.4],
            minutes=chance.randint(0, 60),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_random_queries_find_what_a_plain_reading_finds_in_the_same_order(indexer, seed):
    chance = random.Random(seed)
    mail = some_mail(chance, 120)
    # Some came live, some were put into the index in bulk, and some still wait.
    await indexer.hears(a_page(*mail[:40]), a_filled_page(*mail[40:80]))
    await indexer.puts_in_order()
    await indexer.hears(a_filled_page(*mail[80:]))
    assert await indexer.waiting() == 40
    newest = sorted(mail, key=lambda m: (m.content.received_at, m.message_id), reverse=True)
    for _ in range(120):
        query = a_query(chance)
        expected = [message.message_id for message in newest if query.fits(message)]
        assert await indexer.finds(query.text) == expected, query.text
