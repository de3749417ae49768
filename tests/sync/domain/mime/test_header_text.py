from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.mime.addresses import parse_addresses
from services.sync.domain.mime.charset import codec_for, decode
from services.sync.domain.mime.dates import parse_date
from services.sync.domain.mime.params import parameterized
from services.sync.domain.mime.words import decode_words
from shared.contracts.mail import Address


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus =?utf-8?B?S8O2bG4=?=", "Grüße aus Köln"),
        (b"=?iso-8859-1?q?a?=  =?iso-8859-1?q?b?=", "ab"),
        (b"a =?utf-8?q?b?= c", "a b c"),
        (b"=?utf-8?b?5pel?= =?utf-8?b?5pw=?= =?utf-8?b?rOiqng==?=", "日本語"),  # split characters
        (b"=?UTF-8?Q?=E6=97?= =?utf8?B?pQ==?=", "日"),  # and in two encodings
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?gb2312?B?1tDOxA==?= =?ks_c_5601-1987?B?x9GxuQ==?=", "中文한국"),
        (b"=?iso-8859-1?q?=93x=94?=", "“x”"),  # what Windows means by Latin-1
        (b"=?utf-8?q?a b?=", "a b"),
        (b"=?utf-8?q?100%?= =?utf-8?q?_why??=", "100% why?"),
        (b"=?utf-8?b?YWJj", "=?utf-8?b?YWJj"),  # without an end
        (b"=?utf-8?b?YW Jj?=", "abc"),
        (b"=?utf-8?b?YWI?=", "ab"),  # without padding
        (b"=?utf-8*de?q?x?=", "x"),  # RFC 2231 §5
        (b"=?unknown-8bit?q?caf=C3=A9?=", "café"),
        (b"=?x-nobody-knows?q?caf=E9?=", "café"),
        ("naïve UTF-8 ☺".encode(), "naïve UTF-8 ☺"),
        (b"caf\xe9", "café"),
        (b"\x1b$BF|K\\\x1b(B", "日本"),  # ISO-2022-JP says so itself
        (b"a\0b", "a\ufffdb"),
        (b"=?utf-8?q?a=00b?=", "a\ufffdb"),
        (b"=?utf-7?q?+2D0-?=", "\ufffd"),  # half a surrogate pair
    ],
)
def test_header_text_is_read_as_it_was_meant(raw: bytes, text: str):
    assert decode_words(raw) == text


def test_undeclared_bytes_follow_the_charset_of_the_body():
    assert decode_words("광고".encode("cp949"), hint="ks_c_5601-1987") == "광고"
    assert decode_words("Grüße".encode(), hint="ks_c_5601-1987") == "Grüße"


@pytest.mark.parametrize("label", ["punycode", "unicode_escape", "zlib", "rot13", "idna", "\0", ""])
def test_what_is_no_character_set_of_mail_decodes_no_mail(label: str):
    assert codec_for(label) is None
    assert decode(b"\\u0041 caf\xc3\xa9", label) == "\\u0041 café"


@given(st.binary(), st.text(max_size=20))
def test_any_bytes_under_any_label_are_text_a_database_can_hold(raw: bytes, label: str):
    for text in (decode(raw, label), decode_words(raw), decode_words(b"=?utf-7?q?" + raw + b"?=")):
        assert "\0" not in text
        text.encode("utf-8")


@pytest.mark.parametrize(
    ("raw", "people"),
    [
        (b"ada@example.org", [("", "ada@example.org")]),
        (b"Ada L <ada@x.org>, bob@x.org", [("Ada L", "ada@x.org"), ("", "bob@x.org")]),
        (b'"Lovelace, Ada" <ada@x.org>', [("Lovelace, Ada", "ada@x.org")]),
        (b'"a \\"b\\" c" <d@e>', [('a "b" c', "d@e")]),
        (b"ada@x.org (Ada (the first))", [("Ada (the first)", "ada@x.org")]),
        (b"friends: a@x, B <b@x>;, c@x", [("", "a@x"), ("B", "b@x"), ("", "c@x")]),
        (b"undisclosed-recipients:;", []),
        (b"=?utf-8?q?Ad=C3=A4=2C_L?= <a@x>", [("Adä, L", "a@x")]),
        (b'"=?utf-8?q?Ad=C3=A4?=" <a@x>', [("Adä", "a@x")]),
        (b"Whomever", [("Whomever", "")]),
        (b"Ada <ada@x", [("Ada", "ada@x")]),
        (b"<ada@x> Ada", [("Ada", "ada@x")]),
        (b"ada@x <ada@x>", [("ada@x", "ada@x")]),
        (b"<@a,@b:ada@x>", [("", "ada@x")]),
        (b'"john doe"@x.org', [("", '"john doe"@x.org')]),
        (b"Ada ada@x", [("Ada", "ada@x")]),
        (b"<>", []),
        (b"", []),
        (b"a@x; b@x", [("", "a@x"), ("", "b@x")]),
        ("Ädä <ä@x.org>".encode(), [("Ädä", "ä@x.org")]),
    ],
)
def test_people_are_found_as_they_are_written(raw: bytes, people: list[tuple[str, str]]):
    assert list(parse_addresses(raw)) == [Address(name, email) for name, email in people]


@given(st.binary() | st.text('<>"()@,;:\\ a=?.', max_size=200).map(str.encode))
def test_any_bytes_name_people_a_database_can_hold(raw: bytes):
    for person in parse_addresses(raw):
        assert person.name or person.email
        assert "\0" not in person.name + person.email
        (person.name + person.email).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Thu, 22 Aug 2002 18:26:25 +0700", datetime(2002, 8, 22, 11, 26, 25, tzinfo=UTC)),
        ("22 Aug 02 18:26 EDT", datetime(2002, 8, 22, 22, 26, tzinfo=UTC)),
        ("Thu Aug 22 18:26:25 2002", datetime(2002, 8, 22, 18, 26, 25, tzinfo=UTC)),
        ("Fri, 23 Aug 2002 22:46:34 GMT+1", datetime(2002, 8, 23, 21, 46, 34, tzinfo=UTC)),
        ("Fri, 23 Aug 2002 22:46:34 (PDT)", datetime(2002, 8, 23, 22, 46, 34, tzinfo=UTC)),
        ("Sun, 25 Aug 2002 19:21:44 01800", datetime(2002, 8, 25, 19, 21, 44, tzinfo=UTC)),
        ("Sun, 25 Aug 2002 19:21:44 +9900", datetime(2002, 8, 25, 19, 21, 44, tzinfo=UTC)),
        ("Thu, 22 Aug 02 18:26:25 +0200", datetime(2002, 8, 22, 16, 26, 25, tzinfo=UTC)),
        ("Sun, 22 Aug 99 18:26 GMT", datetime(1999, 8, 22, 18, 26, tzinfo=UTC)),
        ("Thu, 22 Aug 102 18:26:25 +0000", datetime(2002, 8, 22, 18, 26, 25, tzinfo=UTC)),
        ("Thu, 22 Aug 0002 18:26:25 +0000", datetime(2002, 8, 22, 18, 26, 25, tzinfo=UTC)),
        ("Thu, 22 Aug 2002 18:26:25 CEST", datetime(2002, 8, 22, 16, 26, 25, tzinfo=UTC)),
        ("Thu Aug 22 18:26:25 JST 2002", datetime(2002, 8, 22, 9, 26, 25, tzinfo=UTC)),
        ("Thu, 22 Aug 2002 18:26:25 XYZ", datetime(2002, 8, 22, 18, 26, 25, tzinfo=UTC)),
        ("2002-08-22T18:26:25Z", datetime(2002, 8, 22, 18, 26, 25, tzinfo=UTC)),
        ("Sat, 31 Dec 2016 23:59:60 +0000", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_dates_are_read_however_they_are_written(text: str, moment: datetime):
    assert parse_date(text) == moment


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "31 Feb 2002 00:00:00 +0000", "1 Jan 0001 00:00:00 +0000", "1 Jan 99999 1:1"],
)
def test_a_date_without_sense_is_no_date(text: str):
    assert parse_date(text) is None


@given(st.text() | st.text("0123456789:+-/,. JanGMTZ", max_size=60))
def test_a_date_is_always_a_moment_or_none(text: str):
    moment = parse_date(text)
    assert moment is None or moment.utcoffset() is not None


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"x/y; name=a.txt", "a.txt"),
        (b'x/y; name="a b; c.txt"', "a b; c.txt"),
        (b"x/y; name=my file.txt; z=1", "my file.txt"),
        (b'x/y; name="open', "open"),
        (b'x/y; name="=?utf-8?q?=C3=A4.txt?="', "ä.txt"),
        (b"x/y; name*=utf-8'de'%C3%A4%20b.txt", "ä b.txt"),
        (b"x/y; name*0*=utf-8''%C3; name*1*=%A4; name*2=.txt", "ä.txt"),  # cut inside a character
        (b'x/y; name*1="b.txt"; name*0="a"', "ab.txt"),
        (b"x/y; name*0*=iso-8859-1''%E4; name*2=lost", "ä"),
        (b"x/y; name*1*=utf-8''%C3%A4; name*2=.txt", "ä.txt"),  # some count from 1
        (b"x/y; name=first; name=second", "first"),
        (b"x/y;;; name=a", "a"),
        (b"x/y name=a", "a"),  # the semicolon was forgotten
        (b"x/y; name=caf\xc3\xa9", "café"),
        (b"x/y", ""),
    ],
)
def test_file_names_are_read_in_every_encoding_people_use(raw: bytes, name: str):
    field = parameterized(raw)
    assert (field.value, field.text("name")) == ("x/y", name)


@given(st.binary() | st.text(";=\"*'\\ abc012%", max_size=200).map(str.encode))
def test_any_field_with_parameters_can_be_read(raw: bytes):
    field = parameterized(raw)
    for text in (field.value, field.token("a"), field.text("a"), field.text("filename")):
        assert "\0" not in text
