from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.letterhead import letterhead_of
from services.sync.domain.mime.fields import read_header
from shared.contracts.content import AuthenticationResult, Autocrypt, MailingList


def fields(header: str) -> list[tuple[str, bytes]]:
    raw = header.encode() + b"\n\n"
    return read_header(raw, 0, len(raw)).fields


def servers(header: str) -> list[str]:
    return [each.server for each in letterhead_of(fields(header)).authentication]


def test_a_list_says_how_to_leave_it():
    header = (
        "List-Id: =?utf-8?q?Gr=C3=BC=C3=9Fe?= <greetings.example.org>\n"
        "List-Unsubscribe: <mailto:leave@example.org?subject=x>,\n"
        " <https://example.org/leave?u=1>, <javascript:alert(1)>\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
        "List-Post: NO (posting not allowed)\nList-Archive: <https://example.org/archive>"
    )
    assert letterhead_of(fields(header)).mailing_list == MailingList(
        list_id="greetings.example.org",
        name="Grüße",
        unsubscribe=("mailto:leave@example.org?subject=x", "https://example.org/leave?u=1"),
        one_click="https://example.org/leave?u=1",
        archive=("https://example.org/archive",),
    )


def test_one_click_is_offered_over_https_only():
    header = (
        "List-Unsubscribe: <http://example.org/leave>\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
    )
    told = letterhead_of(fields(header)).mailing_list
    assert told is not None
    assert (told.unsubscribe, told.one_click) == (("http://example.org/leave",), None)


def test_a_letter_came_through_no_list():
    assert letterhead_of(fields("Subject: x")).mailing_list is None


def test_what_the_receiving_server_found_out_is_told():
    header = (
        "Received: by 10.0.0.1 with SMTP id 1; Thu, 7 Mar 2024 10:11:13 +0100\n"
        "Authentication-Results: mx.example.org;\n"
        "       dkim=pass (2048 bit; ok=really) header.i=@example.net header.s=s1;\n"
        '       spf=fail reason="not; allowed" smtp.mailfrom=ann@example.net; dmarc=none\n'
        "Received: from a.example.net by mx.example.org; Thu, 7 Mar 2024 10:11:12 +0100\n"
        "Authentication-Results: mx.example.net; spf=pass"
    )
    told = letterhead_of(fields(header))
    assert told.stamped_at == datetime(2024, 3, 7, 9, 11, 13, tzinfo=UTC)
    assert told.authentication[0] == AuthenticationResult(
        server="mx.example.org",
        method="dkim",
        result="pass",
        properties={"header.i": "@example.net", "header.s": "s1"},
    )
    assert [(each.method, each.result) for each in told.authentication] == [
        ("dkim", "pass"),
        ("spf", "fail"),
        ("dmarc", "none"),
    ]


@pytest.mark.parametrize(
    ("header", "believed"),
    [
        # On top of all.
        (
            "Authentication-Results: anything; spf=pass\nReceived: from a by mx.example.org; x",
            ["anything"],
        ),
        # Under the Received field of the same house.
        (
            "Received: by a.mail.example.org\nAuthentication-Results: b.mail.example.org; spf=pass",
            ["b.mail.example.org"],
        ),
        # Written by whoever sent it.
        ("Received: from a by mx.example.org; x\nAuthentication-Results: my.bank; spf=pass", []),
        ("Received: from a by b.co.uk; x\nAuthentication-Results: a.co.uk; spf=pass", []),
        ("Authentication-Results: mx.example.org; spf=pass", []),
        # Microsoft's servers do not say who they are.
        (
            "Received: by AM0.prod.outlook.com\nAuthentication-Results: spf=pass;dkim=pass a.b=c",
            ["", ""],
        ),
        ("Received: from a by mx.example.org; x\nAuthentication-Results: spf=pass", []),
        ("Authentication-Results: mx.example.org 1; none\nReceived: by x; x", []),
    ],
)
def test_only_the_receiving_server_is_believed(header: str, believed: list[str]):
    assert servers(header) == believed


def test_a_key_for_answers_is_offered_by_the_sender():
    offer = "Autocrypt: addr=ann@example.org; prefer-encrypt=mutual; keydata=\n AAEC\n AwQF"
    told = letterhead_of(fields(f"From: Ann <ann@example.org>\n{offer}")).autocrypt
    assert told == Autocrypt(email="ann@example.org", prefers_encryption=True)
    assert letterhead_of(fields(f"From: bob@example.org\n{offer}")).autocrypt is None
    assert letterhead_of(fields(f"From: ann@example.org\n{offer}\n{offer}")).autocrypt is None


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    "header",
    [
        "Authentication-Results: x; " + "spf=pass (" * 50_000,
        "Authentication-Results: x; " + 'a="' * 50_000 + "\nReceived: by x",
        "Authentication-Results: x" + "; spf=pass a.b=c" * 20_000 + "\nReceived: by x",
        "List-Unsubscribe: " + "<https://x>," * 40_000,
        "List-Unsubscribe: " + "<" * 400_000,
        "Received: " + "(" * 400_000,
        "Autocrypt: " + "a=b;" * 100_000,
    ],
)
def test_a_header_that_is_a_bomb_is_soon_read(header: str):
    letterhead_of(fields(header))


_NAMES = st.sampled_from(
    ("Received", "Authentication-Results", "List-Unsubscribe", "List-Id", "Autocrypt", "From")
)


@given(st.lists(st.tuples(_NAMES, st.binary(max_size=60) | st.text(max_size=60).map(str.encode))))
def test_whatever_stands_in_a_header_it_is_read(header: list[tuple[str, bytes]]):
    letterhead_of(header)


@pytest.mark.usefixtures("quickly")
def test_what_a_server_says_at_length_is_soon_read():
    said = f"mx.example.org; dkim=pass {'a' * 9_900}"
    header = "Received: from a by mx.example.org; x\n" + f"Authentication-Results: {said}\n" * 50
    told = letterhead_of(fields(header)).authentication
    assert {each.method for each in told} == {"dkim"}
