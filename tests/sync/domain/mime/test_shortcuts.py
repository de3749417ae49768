"""What is usual is read on a short way, and says the same as on the long one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.mime.addresses import parse_addresses
from services.sync.domain.mime.fields import read_header
from services.sync.domain.mime.params import parameterized
from services.sync.domain.mime.transfer import decoded, decoded_size, from_base64, size_of_base64
from services.sync.domain.parse import parse
from tests.corpora import messages

_PIECES = st.sampled_from(
    [
        *("ann", "Ann Lee", "ä", " ", "\t", "@", "b.example", "a@b.example", "<a@b>", "<", ">"),
        *(",", '"', "'", "\\", "(", ")", ":", ";", "=?utf-8?q?=C3=A4?=", "=?a,b?=", "mailto:"),
    ]
)


@given(st.lists(_PIECES).map("".join))
def test_people_are_the_same_whatever_stands_beside_them(field: str):
    # An empty group behind them is looked at closely, and names nobody.
    closely = parse_addresses(field.encode() + b",x:;")
    if not re.search(r'["(<:]', field):
        assert parse_addresses(field.encode()) == closely
    quoted = f'"{field}" <a@b.example>'.encode()
    if '"' not in field and "\\" not in field:
        assert parse_addresses(quoted) == parse_addresses(quoted + b",x:;")


_LINES = st.sampled_from(
    ["Subject: a", "To:b", "X : c", "\tfolded", " ", "a: ä", "Received: x\n y", "no field", ":", ""]
)


@given(st.lists(_LINES, min_size=1), st.sampled_from(["\n", "\r\n"]))
def test_fields_are_the_same_whatever_stands_beside_them(lines: list[str], end: str):
    header = end.join(lines).replace("\n", end).replace("\r\r", "\r").encode()
    blank = end.encode()
    usual = read_header(header + 2 * blank, 0, len(header) + 2 * len(blank))
    # An mbox's line in front is looked at closely, and is no field.
    closely = read_header(b"From x" + blank + header + 2 * blank, 0, 999)
    if header.startswith((b"\n", b"\r\n", b"From ")):
        return
    assert usual.fields == closely.fields
    assert usual.first == closely.first
    assert usual.defects == closely.defects
    assert usual.body_at == closely.body_at - len(b"From x" + blank)


_PARAMETERS = st.sampled_from(
    [*("text/plain", ";", "; ", " ", "a", "Charset", "=", '"', "\\", "(", ")", "*", "utf-8", "ä")]
)


@given(st.lists(_PARAMETERS).map("".join))
def test_one_parameter_says_the_same_as_the_first_of_two(said: str):
    raw = b"text/plain; a=" + said.encode()
    # What is still open goes on into what stands beside it.
    if said.count('"') % 2 == 0 and ("\\" not in said or '"' not in said):
        beside = parameterized(raw + b"; last=1")
        assert parameterized(raw).value == beside.value
        assert {**parameterized(raw).parameters, "last": b"1"} == beside.parameters


_BASE64 = st.lists(
    st.sampled_from([b"QUJD", b"QQ", b"=", b"==", b"\r\n", b"\n", b" ", b"-", b"\xff", b"A" * 76])
).map(b"".join)


@given(_BASE64 | st.binary())
def test_an_attachment_is_as_large_as_it_is_when_it_is_opened(raw: bytes):
    assert size_of_base64(raw) == len(from_base64(raw))
    for encoding in ("", "base64", "quoted-printable", "x-uuencode", "rot13"):
        content, defect = decoded(raw, encoding)
        assert decoded_size(raw, encoding) == (len(content), defect)


def test_the_people_of_real_messages_are_the_same_on_both_ways():
    corpus = messages()
    if not corpus:
        pytest.skip("the corpora are not beside the project")
    for name, raw in corpus:
        for field, text in parse(raw).headers:
            if field.lower() in {"from", "to", "cc", "sender"} and text.count('"') % 2 == 0:
                found = parse_addresses(text.encode())
                if "(" not in text and "<" not in text.rpartition(">")[2]:
                    assert parse_addresses(text.encode() + b",x:;") == found, name
