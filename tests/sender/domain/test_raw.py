from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from uuid import UUID

import pytest

from services.sender.domain.compose import Composed, Unsendable
from services.sender.domain.raw import fit_to_send
from shared.contracts.mail import Address

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
ADA = Address("", "ada@example.com")
BOB = Address("", "bob@example.org")


def fitted(raw: bytes) -> Composed:
    return fit_to_send(raw, submission_id=UUID(int=7), sender=ADA, people=(BOB,), now=NOW)


def test_a_whole_message_is_sent_as_it_is_but_for_bcc():
    raw = (
        b"From: Ada <ada@example.com>\nTo: bob@example.org\nBcc: Eve\n <eve@example.net>\n"
        b"Message-ID: <mine@example.com>\nDate: Sun, 01 Mar 2026 12:00:00 +0000\n"
        b"X-Odd:kept\n\n.line\nlast"
    )
    composed = fitted(raw)
    assert composed.message_id == "mine@example.com"
    assert composed.recipients == ("bob@example.org",)
    assert composed.mime == (
        b"From: Ada <ada@example.com>\r\nTo: bob@example.org\r\n"
        b"Message-ID: <mine@example.com>\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000\r\n"
        b"X-Odd:kept\r\n\r\n.line\r\nlast\r\n"
    )


def test_what_a_message_must_have_is_added():
    composed = fitted(b"From: ada@example.com\r\n\r\nhello\r\n")
    message = message_from_bytes(composed.mime, policy=default)
    assert message["Date"].datetime == NOW
    assert message["Message-ID"] == f"<{UUID(int=7)}@example.com>"
    assert message.get_content() == "hello\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"To: bob@example.org\r\n\r\nno from",
        b"From: a@b\r\nFrom: c@d\r\n\r\ntwo",
        b"From: a@b\r\nnot a field\r\n\r\nx",
        b"From: a@b\r\n\r\n\x00",
        b"From: a@b\r\n\r\n" + b"x" * 999,
        b"From: a@b\r\nMessage-ID: none\r\n\r\nx",
    ],
)
def test_what_no_server_should_be_handed_is_refused(raw: bytes):
    with pytest.raises(Unsendable) as refused:
        fitted(raw)
    assert refused.value.reason == "invalid_message"
