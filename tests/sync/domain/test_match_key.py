from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.content_id import end_of_header
from services.sync.domain.match_key import match_key, match_key_of
from services.sync.domain.parse import parse
from tests.corpora import messages

AT = datetime(2024, 3, 7, 9, 11, 12, tzinfo=UTC)
HEADER = (
    b"Received: by mx.example.org; Thu, 7 Mar 2024 10:11:13 +0100\r\n"
    b"Message-ID: <3@example.org>\r\n"
    b"Date: Thu, 7 Mar 2024 10:11:12 +0100\r\n"
    b"From: Ada <ada@example.org>\r\n"
    b"Subject: a long subject that\r\n is folded\r\n"
    b"To: bob@example.org\r\n\r\n"
)
WANTED = ("message-id", "date", "from", "subject")


def fields_of(header: bytes) -> bytes:
    """What a server gives for HEADER.FIELDS (RFC 9051 §6.4.5), here in the order asked for."""
    lines: dict[str, list[bytes]] = {}
    name = ""
    for line in header[: end_of_header(header)].split(b"\n"):
        line = line.rstrip(b"\r")
        if not line.startswith((b" ", b"\t")):
            name = line.partition(b":")[0].strip(b" \t").decode("latin-1").lower()
        lines.setdefault(name, []).append(line)
    return b"\r\n".join([*(line for each in WANTED for line in lines.get(each, [])), b"", b""])


def test_a_message_is_known_again_by_what_a_list_tells_of_it():
    key = match_key(HEADER + b"body", 99, AT)
    assert key is not None
    assert len(key) == 16
    assert match_key(fields_of(HEADER), 99, AT) == key
    assert match_key(b"Message-Id: <3@example.org>\r\n\r\n", 99, AT) == key


def test_another_size_or_moment_is_another_message():
    assert match_key(HEADER, 99, AT) != match_key(HEADER, 98, AT)
    assert match_key(HEADER, 99, AT) != match_key(HEADER, 99, AT + timedelta(seconds=1))
    assert match_key(HEADER, 99, AT) == match_key(HEADER, 99, AT + timedelta(milliseconds=900))
    elsewhere = AT.astimezone(timezone(timedelta(hours=2)))
    assert match_key(HEADER, 99, AT) == match_key(HEADER, 99, elsewhere)


def test_without_a_message_id_date_author_and_subject_tell():
    nameless = HEADER.replace(b"Message-ID: <3@example.org>\r\n", b"Message-ID:\r\n")
    key = match_key(nameless, 99, AT)
    assert key is not None
    assert match_key(fields_of(nameless), 99, AT) == key
    for old, new in ((b"Ada", b"Eva"), (b"10:11:12", b"10:11:13"), (b"folded", b"fold")):
        assert match_key(nameless.replace(old, new), 99, AT) != key
    assert match_key(nameless.replace(b"To: bob", b"To: eve"), 99, AT) == key


@pytest.mark.parametrize("fields", [b"", b"\r\n", b"To: bob@x\r\n\r\n", b"\r\nSubject: no\r\n"])
def test_what_nobody_could_tell_apart_has_no_key(fields: bytes):
    assert match_key(fields, 1, AT) is None


_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=1, max_size=60)


@given(
    told=st.fixed_dictionaries({}, optional=dict.fromkeys(WANTED, _VALUES)),
    others=st.lists(st.tuples(st.sampled_from(["X-From", "To", "Received"]), _VALUES)),
    seed=st.randoms(use_true_random=False),
)
def test_the_whole_header_and_its_listing_make_one_key(told: dict[str, str], others, seed):
    def written(fields: list[tuple[str, str]], end: str, fold: str) -> bytes:
        seed.shuffle(fields)
        lines = [
            f"{''.join(map(seed.choice, zip(name, name.upper(), strict=True)))}:"
            + value.replace(" ", seed.choice([" ", fold]))
            for name, value in fields
        ]
        return (end.join(lines) + end + end).encode()

    whole = written([*told.items(), *others], "\n", "\n  ") + b"Subject: in the body\n"
    listed = written([*told.items()], "\r\n", "\r\n\t")
    assert match_key(whole, 1, AT) == match_key(listed, 1, AT)


def test_every_real_message_is_known_again_by_its_listing():
    corpus = messages()
    if not corpus:
        pytest.skip("the corpora are not beside the project")
    for name, raw in corpus:
        listed = fields_of(raw) if not raw.startswith((b"\n", b"\r\n")) else b"\r\n"
        assert match_key(listed, len(raw), AT) == match_key(raw, len(raw), AT), name


def test_a_header_that_was_read_makes_the_same_key():
    folded = HEADER.replace(b"ID: <", b"ID:\r\n <")
    nameless = HEADER.replace(b"Message-ID: <3@example.org>", b"Message-ID: <3@example.org")
    twice = b"message-id: <other@example.org>\r\n" + HEADER
    known = [HEADER, folded, nameless, twice, HEADER.replace(b"\r\n", b"\n"), b"", b"\r\nx"]
    known += [HEADER.replace(b"\r\n", b"\r"), b"From ann\n" + HEADER, HEADER[:-2]]
    for raw in [*known, *(raw for _, raw in messages())]:
        assert match_key_of(parse(raw).read, raw, len(raw), AT) == match_key(raw, len(raw), AT)


@given(st.binary())
def test_any_bytes_may_be_listed(raw: bytes):
    match_key(raw, 1, AT)
