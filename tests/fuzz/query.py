"""Whatever people type is a query, or is refused with a place in it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from services.indexer.domain.meaning import Reader, meaning_of
from services.indexer.domain.plan import plan_of
from services.indexer.domain.query import QueryInvalid, parse
from services.indexer.domain.snippet import pattern_of, snippet, words_shown
from services.indexer.domain.tree import Node

_READER = Reader(now=datetime(2026, 3, 1, tzinfo=UTC))

WORDS = [
    *(
        b"(",
        b")",
        b" OR ",
        b" AND ",
        b" NOT ",
        b"-",
        b'"',
        b"*",
        b":",
        b" ",
        b"\0",
        b"\xe2\x80\x9c",
    ),
    *(b"from:", b"to:", b"subject:", b"body:", b"is:unread", b"has:attachment", b"in:", b"label:"),
    *(b"on:today", b"has:pdf", b"account:", b"thread:", b"from:me", b"a-b", b"after:12h"),
    *(b"before:2026-02-30", b"after:0000-01-01", b"older_than:99999y", b"newer_than:1d"),
    *(b"larger:999999999999g", b"smaller:1k", b"'", b"\\", b"&", b"|", b"!", b"<->", b"@", b"."),
    *("東京".encode(), "é".encode(), "e\u0301".encode(), "ﬁ".encode(), "\U0001f600".encode()),
]


def seeds() -> Iterator[bytes]:
    """What people search for."""
    yield b"from:ada (invoice OR offer) -is:read"
    yield b'subject:"annual report" has:attachment before:2026-01-01'
    yield b"newer_than:7d larger:10m NOT to:bob@example.org gr*"
    yield "東京 “zwei Wörter”".encode()


def check(data: bytes) -> None:
    """A tree with a plan and a pattern, or a reason with a place."""
    text = data.decode("utf-8", "replace")
    refused: QueryInvalid | None = None
    tree: Node | None = None
    try:
        tree = meaning_of(parse(text), _READER)
    except QueryInvalid as error:
        refused = error
    if tree is None:
        assert refused is not None
        assert refused.detail
        assert refused.position is not None
        assert 0 <= refused.position <= len(text)
        return
    assert plan_of(tree).tree
    found = snippet(text, pattern_of(words_shown(tree)), text[:100])
    assert "\n" not in found.text
