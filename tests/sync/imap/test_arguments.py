from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.covered import EVERY_UID, Span
from services.sync.imap.arguments import (
    Literal,
    date_time,
    flag_list,
    span_set,
    string,
    uid_set,
)
from services.sync.imap.parser import parse_values


@given(st.binary())
def test_no_string_can_become_a_command(raw: bytes):
    if b"\0" in raw:
        with pytest.raises(ValueError, match="NUL"):
            string(raw)
        return
    sent = string(raw)
    if isinstance(sent, Literal):
        assert sent.data == raw
    else:
        assert b"\r" not in sent
        assert b"\n" not in sent
        assert parse_values([sent]) == [raw]


@pytest.mark.parametrize("flag", ["a b", "x)", "\r\nA1 DELETE INBOX", "", "\\", "é", "a]", '"'])
def test_what_is_no_flag_is_not_sent(flag: str):
    with pytest.raises(ValueError, match="not a flag"):
        flag_list([flag])


def test_flags_are_sent_in_brackets():
    assert flag_list({"\\Seen", "$Forwarded"}) == b"($Forwarded \\Seen)"
    assert flag_list([]) == b"()"


def test_uids_are_sent_in_few_words():
    assert uid_set([7, 1, 3, 2, 2]) == b"1:3,7"
    assert span_set([EVERY_UID]) == b"1:*"
    assert span_set([Span(4, 4)]) == b"4"


def test_dates_are_sent_in_english_with_their_zone():
    when = datetime(2024, 3, 7, 1, 2, 3, tzinfo=timezone(-timedelta(hours=3, minutes=30)))
    assert date_time(when) == b'"07-Mar-2024 01:02:03 -0330"'
    assert date_time(datetime(999, 12, 1, tzinfo=UTC)) == b'"01-Dec-0999 00:00:00 +0000"'
