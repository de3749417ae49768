import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.imap.names import decode_name, encode_name, wire_name

NAMES = {
    b"INBOX": "INBOX",
    b"Entw&APw-rfe": "Entwürfe",
    b"&U,BTFw-/&ZeVnLIqe-": "台北/日本語",
    b"Tom &- Jerry": "Tom & Jerry",
    b"&2D3eAA-": "😀",
}


@pytest.mark.parametrize(("raw", "path"), NAMES.items())
def test_names_are_read_and_written_in_modified_utf_7(raw: bytes, path: str):
    assert decode_name(raw) == path
    assert encode_name(path) == raw


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_every_path_survives_its_journey(path: str):
    assert decode_name(encode_name(path)) == path


@given(st.binary())
def test_any_name_a_server_gives_can_be_shown(raw: bytes):
    path = decode_name(raw)
    assert "\0" not in path
    path.encode("utf-8")


@pytest.mark.parametrize(
    ("raw", "path"),
    [(b"R&D", "R&D"), (b"a&b-c", "a&b-c"), ("Entwürfe".encode(), "Entwürfe"), (b"&", "&")],
)
def test_servers_that_do_not_encode_are_understood(raw: bytes, path: str):
    assert decode_name(raw) == path


def test_inbox_is_inbox_in_any_case():
    assert wire_name("inbox") == wire_name(b"InBox") == b"INBOX"
    assert wire_name("Inbox/a") == b"Inbox/a"
