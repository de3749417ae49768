import pytest

from services.sync.domain.mime.bodies import bodies_of
from services.sync.domain.mime.structure import Part, read_structure
from services.sync.domain.mime.transfer import decoded, from_base64, from_uuencode


def drawn(part: Part) -> str:
    """A tree of parts as text: mixed(plain, html)."""
    kind = part.media_type.partition("/")[2]
    return f"{kind}({', '.join(map(drawn, part.children))})" if part.children else kind


def multipart(kind: str, boundary: str, *parts: str, end: str = "--") -> str:
    opening = f"Content-Type: multipart/{kind}; boundary={boundary}\n\n"
    return opening + "".join(f"--{boundary}\n{each}\n" for each in parts) + f"--{boundary}{end}\n"


WRAPPED = """\
Content-Transfer-Encoding: base64
Content-Type: multipart/mixed; boundary=b

LS1iCgp4Ci0tYi0tCg==
"""
PLAIN = "Content-Type: text/plain\n\nplain"
HTML = "Content-Type: text/html\n\n<p>html"
IMAGE = "Content-Type: image/png\nContent-ID: <i@x>\n\npng"


@pytest.mark.parametrize(
    ("raw", "tree", "defects"),
    [
        (PLAIN, "plain", []),
        ("no header at all", "plain", ["no_blank_line_after_header"]),
        (multipart("mixed", "b", PLAIN, IMAGE), "mixed(plain, png)", []),
        (multipart("mixed", "a", PLAIN, end=""), "mixed(plain, plain)", ["multipart_not_closed"]),
        (
            multipart("mixed", "a", multipart("alternative", "ab", PLAIN, HTML), IMAGE),
            "mixed(alternative(plain, html), png)",
            [],
        ),
        (
            multipart("mixed", "out", "Content-Type: multipart/x; boundary=in\n\n--in\n\nx", PLAIN),
            "mixed(x(plain), plain)",
            ["multipart_not_closed"],
        ),
        (
            "Content-Type: multipart/mixed; boundary=wrong\n\n--right\n\nx\n--right--\n",
            "mixed(plain)",
            ["wrong_boundary"],
        ),
        ("Content-Type: multipart/mixed\n\njust text", "plain", ["multipart_without_parts"]),
        ("Content-Type: text\n\nx", "plain", ["invalid_content_type"]),
        (
            WRAPPED,
            "mixed(plain)",
            [],
        ),
        (multipart("digest", "b", "\nSubject: x\n\ny"), "digest(rfc822)", []),
    ],
)
def test_a_message_is_taken_apart_as_it_was_put_together(raw: str, tree: str, defects: list[str]):
    for ends in ("\n", "\r\n"):
        structure = read_structure(raw.replace("\n", ends).encode())
        assert (drawn(structure.root), structure.defects) == (tree, defects)


def test_lines_that_end_as_on_old_macintoshes_are_read():
    structure = read_structure(PLAIN.replace("\n", "\r").encode())
    assert structure.root.content == b"plain"
    assert structure.defects == ["lines_end_with_cr"]


def test_the_example_of_rfc_8621_is_sorted_as_it_says():
    def part(name: str, media: str, disposition: str = "") -> str:
        shown = f"Content-Disposition: {disposition}\n" if disposition else ""
        return f"Content-Type: {media}\n{shown}X-Name: {name}\n\n{name}"

    raw = multipart(
        "mixed",
        "one",
        part("A", "text/plain", "inline"),
        multipart(
            "mixed",
            "two",
            multipart(
                "alternative",
                "three",
                multipart(
                    "mixed",
                    "four",
                    part("B", "text/plain", "inline"),
                    part("C", "image/jpeg", "inline"),
                    part("D", "text/plain", "inline"),
                ),
                multipart("related", "five", part("E", "text/html"), part("F", "image/jpeg")),
            ),
            part("G", "image/jpeg", "attachment"),
            part("H", "application/x-excel"),
            part("J", "message/rfc822"),
        ),
        part("K", "text/plain", "inline"),
    )

    def names(parts: list[Part]) -> str:
        return "".join(each.raw_field("x-name").decode() for each in parts)

    bodies = bodies_of(read_structure(raw.encode()).root)
    assert names(bodies.text) == "ABCDK"
    assert names(bodies.html) == "AEK"
    assert names(bodies.attached) == "CFGHJ"  # C is shown between the text, and can be had alone


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"aGVsbG8=", b"hello"),
        (b"aGVs\r\nbG8", b"hello"),
        (b"aGV*sb!G8=", b"hello"),
        (b"aGVsbG8=\r\nd29ybGQ=\r\n", b"helloworld"),
        (b"aGVsbG8=\n-- \nlist footer!\n", b"hello"),
        (b"aGVsbG8a", b"hello\x1a"),
        (b"a", b""),
        (b"", b""),
    ],
)
def test_base64_is_read_with_what_others_put_into_it(raw: bytes, content: bytes):
    assert from_base64(raw) == content


def test_uuencode_is_read():
    assert from_uuencode(b"begin 644 a.txt\n%:&5L;&\\`\n \nend\n") == b"hello"
    assert decoded(b"begin 644 a\n%:&5L;&\\\nend\n", "x-uuencode") == (b"hello", None)


def test_an_unknown_encoding_leaves_the_bytes_and_says_so():
    assert decoded(b"x=20", "rot13") == (b"x=20", "unknown_transfer_encoding")
