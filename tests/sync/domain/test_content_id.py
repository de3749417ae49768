from services.sync.domain.content_id import content_id, end_of_header
from services.sync.domain.parse import parse
from tests.corpora import messages

RAW = b"Message-ID: <a@x>\r\nSubject: hello\r\n\r\nbody\r\n"


def test_copies_in_two_mailboxes_have_one_content_id():
    assert content_id(RAW) == content_id(RAW.replace(b"\r\n", b"\n"))
    assert content_id(RAW) == content_id(RAW.replace(b"Subject", b"X-UID: 12\r\n 13\r\nSubject"))
    assert len(content_id(RAW)) == 16


def test_the_header_is_enough_to_tell():
    assert content_id(RAW) == content_id(RAW.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    assert content_id(RAW) != content_id(RAW.replace(b"hello", b"hullo"))


def test_messages_without_a_name_are_told_apart_by_all_they_say():
    assert content_id(b"\r\none") != content_id(b"\r\ntwo")
    assert content_id(b"Subject: x\r\n\r\none") != content_id(b"Subject: x\r\n\r\ntwo")
    assert content_id(b"") == content_id(b"")


def test_whoever_read_a_header_knows_where_it_ends():
    known = [RAW, RAW.replace(b"\r\n", b"\n"), RAW.replace(b"hello\r\n", b"hello\n")]
    assert all(parse(raw).read.end == end_of_header(raw) for raw in known)
    for raw in [RAW.replace(b"\r\n", b"\r"), b"", b"\r\n", *(raw for _, raw in messages())]:
        assert parse(raw).read.end in {None, end_of_header(raw)}
