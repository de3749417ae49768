"""The memory against a plain reading of every message in Python: same ids, same order."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import pytest

from shared.contracts.ids import Kind, shown
from shared.contracts.mail import SyncedMessage
from shared.contracts.search import NamedMailbox, SearchMessages, Unit
from tests.indexer.mail import ACCOUNT, BEGINNING, a_filled_page, a_message, a_page

WORDS = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kite", "antler"]
BOXES = tuple(
    NamedMailbox(mailbox_id=uuid4(), account_id=ACCOUNT, path=path) for path in ("In", "Out", "Old")
)
LABELS = ["red", "green", "blue"]
THREADS = [uuid4() for _ in range(30)]
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


def a_place(chance: random.Random) -> Asked:
    """A condition that is not about words."""
    kind = chance.randrange(7)
    if kind == 0:
        box = chance.choice(BOXES)
        return Asked(f"in:{box.path}", lambda m: m.state.mailbox_id == box.mailbox_id)
    if kind == 1:
        label = chance.choice(LABELS)
        return Asked(f"label:{label}", lambda m: label in m.state.labels)
    if kind == 2:
        thread = chance.choice(THREADS)
        return Asked(f"thread:{shown(Kind.THREAD, thread)}", lambda m: m.state.thread_id == thread)
    if kind == 3:
        minutes = chance.randint(0, 60)
        at = BEGINNING + timedelta(minutes=minutes)
        return Asked(f"after:{at:%Y-%m-%dT%H:%M}", lambda m: m.content.received_at >= at)
    if kind == 4:
        size = chance.randint(0, 10)
        return Asked(f"larger:{size}k", lambda m: m.content.size_bytes > size * 1024)
    if kind == 5:
        return Asked("has:pdf", lambda m: bool(m.content.attachments))
    return Asked("in:anywhere", lambda _: True)


def a_leaf(chance: random.Random) -> Asked:
    kind = chance.randrange(13)
    if kind > 9:
        return a_place(chance)
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
            size_bytes=chance.randint(0, 12_000),
            mailbox_id=chance.choice(BOXES).mailbox_id,
            thread_id=chance.choice(THREADS),
            labels=chance.sample(LABELS, chance.randint(0, 2)),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(n, marks=pytest.mark.long) for n in range(3, 40))]
)
async def test_random_queries_find_what_a_plain_reading_finds_in_the_same_order(
    indexer, seed, monkeypatch
):
    monkeypatch.setattr(SearchMessages, "deadline_seconds", 60)  # however busy the machine is
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
        assert await indexer.finds(query.text, mailboxes=BOXES) == expected, query.text
        condition = indexer.explains(query.text, mailboxes=BOXES).condition
        as_json = await indexer.asks("", condition=condition, mailboxes=BOXES, with_total=True)
        assert [one.message_id for one in as_json.found] == expected, query.text
        assert as_json.total.messages == len(expected)
        heads = {}
        for message in newest:
            if query.fits(message):
                heads.setdefault(message.state.thread_id, message.message_id)
        threads = await indexer.finds(query.text, mailboxes=BOXES, unit=Unit.THREADS)
        assert threads == list(heads.values()), query.text


OTHER = uuid4()
YEARS = 12


def mail_of_years(chance: random.Random, count: int) -> list[SyncedMessage]:
    """Much at once now and then, and years of little; words from common to rare."""
    weights = [1 / (rank + 1) ** 1.5 for rank in range(len(WORDS))]
    minutes = [chance.uniform(0, YEARS * 525_600) for _ in range(count // 3)]
    for _ in range(8):
        start = chance.uniform(0, YEARS * 525_600)
        minutes += [
            start + chance.choice([0, chance.uniform(0, 3_000)]) for _ in range(count // 12)
        ]
    return [
        a_message(
            " ".join(chance.choices(WORDS, weights, k=2)),
            " ".join(chance.choices(WORDS, weights, k=chance.randint(0, 6))),
            sender=chance.choice(PEOPLE),
            keywords=[k for k in ("\\Seen", "\\Flagged") if chance.random() < 0.4],
            minutes=-at,
            mailbox_id=chance.choice(BOXES).mailbox_id,
        )
        for at in minutes
    ]


def asked_of_years(chance: random.Random) -> Asked:
    """What the index looks up by itself, in all of it or in some years."""
    words = [a_leaf_of_words(chance) for _ in range(chance.choice((1, 1, 2, 3)))]
    asked = words[0]
    for more in words[1:]:
        before, asked = asked, more
        asked = (
            Asked(
                f"({before.text} OR {more.text})",
                lambda m, a=before, b=more: a.fits(m) or b.fits(m),
            )
            if chance.random() < 0.3
            else Asked(
                f"{before.text} {more.text}", lambda m, a=before, b=more: a.fits(m) and b.fits(m)
            )
        )
    if chance.random() < 0.3:
        at = BEGINNING - timedelta(minutes=chance.uniform(0, YEARS * 525_600))
        at = at.replace(second=0, microsecond=0)
        said, whole = f"after:{at:%Y-%m-%dT%H:%M}", asked
        asked = Asked(
            f"{whole.text} {said}",
            lambda m: whole.fits(m) and m.content.received_at >= at,
        )
    if chance.random() < 0.3:
        inner = asked
        asked = Asked(
            f"{inner.text} is:unread",
            lambda m: inner.fits(m) and "\\Seen" not in m.state.keywords,
        )
    return asked


def a_leaf_of_words(chance: random.Random) -> Asked:
    word = chance.choice(WORDS)
    match chance.randrange(5):
        case 0:
            phrase = [word, chance.choice(WORDS)]
            return Asked(f'"{" ".join(phrase)}"', lambda m: has(m, phrase, None, begun=False))
        case 1:
            return Asked(f"{word[:2]}*", lambda m: has(m, [word[:2]], None, begun=True))
        case 2:
            return Asked(f"subject:{word}", lambda m: has(m, [word], "subject", begun=False))
        case _:
            return Asked(word, lambda m: has(m, [word], None, begun=False))


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 20))]
)
async def test_pages_of_years_of_mail_are_what_a_plain_reading_finds_in_the_same_order(
    indexer, seed, monkeypatch
):
    monkeypatch.setattr(SearchMessages, "deadline_seconds", 60)
    chance = random.Random(seed)
    mail = mail_of_years(chance, 1_500)
    chance.shuffle(mail)
    mine, other, waiting = mail[:900], mail[900:1_350], mail[1_350:]
    for start in range(0, len(mine), 450):
        await indexer.hears(a_page(*mine[start : start + 450]))
    await indexer.hears(a_page(*other, account=OTHER))
    await indexer.admin.execute("ANALYZE indexer.words_live")
    await indexer.hears(a_filled_page(*waiting, account=OTHER))
    newest = sorted(mail, key=lambda m: (m.content.received_at, m.message_id), reverse=True)
    for _ in range(60):
        query, limit = asked_of_years(chance), chance.choice((1, 2, 5, 20))
        expected = [message.message_id for message in newest if query.fits(message)][: 4 * limit]
        found, before = [], None
        while len(found) < len(expected):
            page = await indexer.asks(
                query.text, accounts=(ACCOUNT, OTHER), limit=limit, before=before
            )
            found += [one.message_id for one in page.found]
            if not page.more:
                break
            before = (page.found[-1].received_at, page.found[-1].message_id)
        assert found == expected, query.text
