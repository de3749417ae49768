import base64
import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain import decoding
from services.sync.domain.decoding import TooMuchToHold, decoder_of
from services.sync.domain.mime.transfer import decoded, decoded_size


def piecewise(raw: bytes, encoding: str, size: int) -> bytes:
    decoder = decoder_of(encoding)
    pieces = [decoder.feed(raw[at : at + size]) for at in range(0, len(raw), size)]
    return b"".join([*pieces, decoder.end()])


@given(content=st.binary(max_size=2000), size=st.integers(1, 200))
def test_base64_comes_out_the_same_in_pieces(content: bytes, size: int) -> None:
    raw = base64.encodebytes(content).replace(b"\n", b"\r\n")
    assert piecewise(raw, "base64", size) == content


@given(content=st.binary(max_size=2000), size=st.integers(1, 200))
def test_quoted_printable_comes_out_the_same_in_pieces(content: bytes, size: int) -> None:
    raw = quopri.encodestring(content)
    assert piecewise(raw, "Quoted-Printable", size) == decoded(raw, "quoted-printable")[0]


@given(
    raw=st.lists(
        st.sampled_from(
            [b"SGVs", b"bG8=", b"SGU=", b"SA==", b"=", b"SG", b"\r\n", b"\n", b" ", b"-- ", b"Bye."]
        ),
        max_size=40,
    ).map(b"".join),
    size=st.integers(1, 30),
)
def test_broken_base64_comes_out_the_same_whole_and_in_pieces(raw: bytes, size: int) -> None:
    assert piecewise(raw, "base64", size) == decoded(raw, "base64")[0]
    assert decoded_size(raw, "base64")[0] == len(decoded(raw, "base64")[0])


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"SGVs bG8!\r\n", b"Hello"),
        (b"SGVsbG8=\r\nV29ybGQ=\r\n", b"HelloWorld"),
        (b"SGVsbG8=\r\nV29ybGQ", b"HelloWorld"),
        (b"SGVsbG8=\r\nV29ybGQ=\r\n\r\n-- \r\nThe list's footer\r\n", b"HelloWorld"),
        (b"SGVsbG8=\r\nfoo\r\n", b"Hello"),
        (b"SGVsbG8= not base64\xff\r\nV29ybGQ=\r\n", b"Hello"),
        (b"SGVsbG8=" + b"V29ybGQ=" * 20_000, b"Hello"),  # a line that does not end
        (b"SGVsbG8=\r\n" * 20_000, b"Hello" * 20_000),
    ],
)
def test_what_follows_padding_counts_line_by_line_where_it_is_base64(
    raw: bytes, content: bytes
) -> None:
    assert decoded(raw, "base64")[0] == content
    assert piecewise(raw, "base64", 1000) == content


@pytest.mark.parametrize(
    "raw",
    [
        b"SGVsbG8=\r\n",
        b"SGVsbG8",  # no padding
        b"SGVs bG8!\r\n",  # noise
        b"SGVsbG8=\r\nV29ybGQ=\r\n",  # padded pieces, one behind the other
        b"SGVsbG8=\r\n\r\n-- \r\nThe list's footer\r\n",
        b"SGVsbG8=--boundary",
        b"SGVsbG8h====",
        b"S",
        b"====",
        b"",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_broken_base64_comes_out_as_from_the_whole(raw: bytes, size: int) -> None:
    assert piecewise(raw, "base64", size) == decoded(raw, "base64")[0]


def test_a_line_without_end_is_neither_held_nor_broken() -> None:
    raw = b"=C3=A4=20x" * 100_000
    assert piecewise(raw, "quoted-printable", 10_007) == "ä x".encode() * 100_000


def test_uuencode_is_undone() -> None:
    lines = [binascii.b2a_uu(b"x" * 45) for _ in range(10)]
    raw = b"begin 644 x.bin\r\n" + b"".join(lines) + b"`\r\nend\r\n"
    assert piecewise(raw, "x-uuencode", 17) == b"x" * 450


def test_what_cannot_be_undone_in_pieces_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_HELD_BYTES", 100)
    with pytest.raises(TooMuchToHold):
        piecewise(b"M" * 200, "uuencode", 50)


@pytest.mark.parametrize("encoding", ["", "7bit", "binary", "x-unheard-of"])
def test_what_is_not_encoded_stays_as_it_is(encoding: str) -> None:
    assert piecewise(b"as\r\n=20it is", encoding, 2) == b"as\r\n=20it is"
