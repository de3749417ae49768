from services.sync.domain.content_id import content_id

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
