from datetime import UTC, datetime
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.indexer.domain.document import document_of, kept_of
from services.indexer.domain.meaning import Reader, meaning_of
from services.indexer.domain.plan import plan_of
from services.indexer.domain.query import QueryInvalid, parse
from services.indexer.domain.snippet import pattern_of, snippet, words_shown
from services.indexer.domain.tokenise import fold, fold_evenly, read
from services.indexer.domain.tree import Node, Or, Words, has_words
from tests.indexer.mail import ACCOUNT, TENANT, a_message, a_page

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WITH_DATABASE = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

mail = st.text(max_size=300) | st.text(alphabet="ab'\\:*&|!()<>-@._ \0\n\"é東ก", max_size=80)
queries = (
    st.text(max_size=80)
    | st.text(alphabet="ab'\\:*&|!()<>-@._ \0\"é東ก", max_size=40)
    | st.lists(
        st.sampled_from(
            ["(", ")", "OR", "AND", "NOT", "-", '"', "a", "b*", "from:", "is:read", "is:unread",
             "subject:", "body:a", "larger:1", "before:2026-01-01", "has:attachment", "東京", "x@y",
             "in:anywhere", "on:monday", "label:x", "in:inbox", "from:me", "a-b"]
        ),
        max_size=12,
    ).map(" ".join)
)  # fmt: skip


def understood(query: str) -> Node:
    return meaning_of(parse(query), Reader(now=NOW))


@given(subject=mail, text=mail, name=mail, file=mail, query=queries)
@WITH_DATABASE
async def test_any_mail_can_be_indexed_and_any_query_is_answered_or_refused_with_a_reason(
    indexer, subject, text, name, file, query
):
    message = a_message(subject, text, sender=f"{name} <a@b>", files=[file], header_id=name)
    await indexer.hears(a_page(message))
    answer = await indexer.asks(query)
    if answer.problem is not None:
        assert answer.problem.code == "query_invalid"
        assert answer.problem.position is not None
        assert 0 <= answer.problem.position <= len(query)
    for word in read(text).words[:5]:
        found = await indexer.finds(f'body:"{word}"')
        assert message.message_id in found, word


@given(query=queries)
@settings(deadline=None)
def test_a_query_is_read_or_refused_with_a_place_in_it(query):
    refused = None
    try:
        assert plan_of(understood(query)).tree
    except QueryInvalid as error:
        refused = error
    assert refused is None or 0 <= refused.position <= len(query)


@given(text=mail)
@settings(deadline=None)
def test_whatever_a_text_says_each_of_its_words_finds_it(text):
    document = document_of(kept_of(a_message("x", text).content))
    for word in text.split():
        try:
            leaf = understood('"' + word.replace('"', " ") + '"')
        except QueryInvalid:
            continue
        ways = leaf.nodes if isinstance(leaf, Or) else (leaf,)
        assert any(has_words(document, way) for way in ways if isinstance(way, Words)), word


@given(text=mail, query=queries)
@settings(deadline=None)
def test_a_snippet_is_one_short_printable_line(text, query):
    try:
        pattern = pattern_of(words_shown(understood(query)))
    except QueryInvalid:
        pattern = None
    line = snippet(text, pattern, text[:200])
    assert len(line.text) <= 200
    assert line.text.isprintable()
    ends = [place for mark in line.marks for place in mark]
    assert ends == sorted(set(ends))
    assert all(0 <= place <= len(line.text) for place in ends)


@given(text=mail | st.text(alphabet="abcäößéÀЖёi̇İΐ \u0301-", max_size=40))
@settings(deadline=None)
def test_a_text_that_is_folded_evenly_is_folded_as_any_other(text):
    even = fold_evenly(text)
    if even is not None:
        assert (even, len(even)) == (fold(text), len(text))


@given(st.lists(mail.map(lambda text: text.replace("@", "")), max_size=6).map(" ".join))
def test_a_text_is_read_at_once_as_it_is_read_piece_by_piece(text):
    whole, apart = read(text), [read(piece) for piece in text.split()]
    assert whole.words == [word for piece in apart for word in piece.words]
    assert [joined for _, joined in whole.wholes] == [
        joined for piece in apart for _, joined in piece.wholes
    ]


def test_letters_fold_one_by_one():
    for code in (*range(0x530), *range(0x2000, 0x2070), *range(0x20A0, 0x20C0)):
        alone = fold(chr(code))
        assert fold(f"a{chr(code)}B{chr(code)}") == f"a{alone}b{alone}", hex(code)
        assert fold(alone) == alone, hex(code)


def test_hostile_texts_are_read_in_time_that_grows_with_their_length():
    for evil in ("a.", "a@", "é.", "a", "_", ".", "@", "\u0301", "東", "-+"):
        long = (evil * 65_536)[:65_536]
        document = document_of(kept_of(a_message(long, long, files=[long]).content))
        tsvector = document.tsvector(TENANT, uuid4())
        assert len(tsvector) < 1024 * 1024
        assert ACCOUNT.hex.encode() not in tsvector


def test_words_longer_than_a_lexeme_are_found_by_their_beginning():
    for long in ("x" * 5000, "é" * 5000, "𝔘" * 5000):
        (word,) = read(long).words
        assert 0 < len(word.encode()) <= 200
