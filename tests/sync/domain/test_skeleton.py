"""A large message, read from its sections as a server gives them."""

import email
import email.policy
from collections.abc import Iterator
from email.message import Message

import msgspec
import pytest

from services.sync.domain.parse import Parsed, parse
from services.sync.domain.skeleton import MAX_BYTES, Skeleton, assemble, sections_of
from tests.corpora import messages


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A part, as BODYSTRUCTURE describes it."""

    section: str = ""
    media_type: str = "text/plain"
    params: dict[str, str] = {}
    disposition: str | None = None
    disposition_params: dict[str, str] = {}
    encoding: str | None = "7bit"
    size: int = 0
    parts: tuple["Node", ...] = ()
    message: bool = False


Server = tuple[Node, dict[str, bytes]]  # the structure, and all sections by their name


def server_of(raw: bytes) -> Server:
    """What a server would say of this message: by the standard library's parser, not by ours."""
    raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    sections = {"HEADER": header_of(raw)}
    return described(message, "", sections), sections


def described(message: "Message[str, str]", section: str, sections: dict[str, bytes]) -> Node:
    parts: tuple[Node, ...] = ()
    content = b""
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        prefix = f"{section}." if section else ""
        below: list[Node] = []
        for number, part in enumerate(message.get_payload(), 1):
            assert isinstance(part, Message)
            sections[f"{prefix}{number}.MIME"] = header_of(bytes_of(part))
            if part.get_content_type() == "message/rfc822" and part.is_multipart():
                inside = part.get_payload(0)
                assert isinstance(inside, Message)
                sections[f"{prefix}{number}.HEADER"] = header_of(bytes_of(inside))
            below.append(described(part, f"{prefix}{number}", sections))
        parts = tuple(below)
    else:
        content = bytes_of(message)[len(header_of(bytes_of(message))) :]
        sections[section or "1"] = content
    return Node(
        section=section,
        media_type=message.get_content_type(),
        params=params_of(message, "content-type"),
        disposition=message.get_content_disposition(),
        disposition_params=params_of(message, "content-disposition"),
        encoding=str(message.get("content-transfer-encoding", "7bit")).strip(),
        size=len(content),
        parts=parts,
        message=message.get_content_type() == "message/rfc822",
    )


def bytes_of(message: "Message[str, str]") -> bytes:
    return message.as_bytes(policy=email.policy.compat32.clone(linesep="\r\n", max_line_length=0))


def header_of(raw: bytes) -> bytes:
    if raw.startswith(b"\r\n"):
        return b"\r\n"
    return raw[: raw.find(b"\r\n\r\n") + 4]


def params_of(message: "Message[str, str]", field: str) -> dict[str, str]:
    found = message.get_params(header=field, unquote=True) or []
    return {
        name.lower(): value if isinstance(value, str) else "x" for name, value in found if value
    }


def skeleton_of(raw: bytes) -> Skeleton | None:
    structure, sections = server_of(raw)
    wanted = sections_of(structure)
    return assemble(structure, {name: sections[name] for name in wanted if name in sections})


def apart_from_sizes(parsed: Parsed) -> Parsed:
    return msgspec.structs.replace(
        parsed,
        attachments=tuple(
            msgspec.structs.replace(each, size_bytes=0) for each in parsed.attachments
        ),
    )


def text(content: str, kind: str = "plain", more: str = "") -> str:
    return f"Content-Type: text/{kind}; charset=utf-8{more}\n\n{content}"


def multipart(kind: str, boundary: str, *parts: str) -> str:
    opening = f"Content-Type: multipart/{kind}; boundary={boundary}\n\n"
    return opening + "".join(f"--{boundary}\n{each}\n" for each in parts) + f"--{boundary}--\n"


FILE = "Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\n" + (
    ("QUJD" * 19 + "\n") * 5_000
)
LETTER = "Subject: with a file\nMessage-ID: <1@x>\n" + multipart(
    "mixed",
    "out",
    multipart("alternative", "in", text("grüße"), text("<p>grüße</p>", "html")),
    FILE,
    text("notes", more="; name=notes.txt\nContent-Disposition: attachment; filename=notes.txt"),
    "Content-Type: message/rfc822\n\n" + multipart("mixed", "deep", text("inside"), FILE),
    text("a footer"),
)


def test_a_large_letter_reads_the_same_without_its_attachments():
    raw = LETTER.replace("\n", "\r\n").encode()
    skeleton = skeleton_of(raw)
    assert skeleton is not None
    assert len(skeleton.raw) < 2_000
    whole, read = parse(raw), parse(skeleton.raw, skeleton.attachment_sizes)
    assert apart_from_sizes(read) == apart_from_sizes(whole)
    assert read.text == "grüße\n\na footer"
    assert [each.name for each in read.attachments] == ["a.pdf", "notes.txt", ""]
    for told, true in zip(read.attachments, whole.attachments, strict=True):
        assert abs(told.size_bytes - true.size_bytes) <= 3


def test_a_letter_of_one_part_is_asked_for_by_its_number():
    structure, _ = server_of(b"Subject: x\r\n\r\nbody\r\n")
    assert sections_of(structure) == ("HEADER", "1")
    skeleton = skeleton_of(b"Subject: x\r\n\r\nbody\r\n")
    assert skeleton is not None
    assert parse(skeleton.raw).text == "body"


def test_a_picture_alone_is_not_asked_for():
    raw = b"Subject: x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC"
    structure, _ = server_of(raw)
    assert sections_of(structure) == ("HEADER",)
    skeleton = skeleton_of(raw)
    assert skeleton is not None
    assert skeleton.attachment_sizes == {1: 3}


@pytest.mark.parametrize("missing", ["HEADER", "1.MIME", "1.1", "2.MIME"])
def test_a_section_that_is_not_given_is_not_made_up(missing: str):
    structure, sections = server_of(LETTER.encode())
    del sections[missing]
    assert assemble(structure, sections) is None


def test_a_structure_that_lies_is_not_believed():
    letter, letters = server_of(LETTER.encode())
    note, notes = server_of(b"Subject: x\r\n\r\nbody\r\n")
    assert assemble(note, letters) is None
    assert assemble(letter, notes) is None
    hidden = msgspec.structs.replace(note, media_type="application/pdf")
    assert assemble(hidden, {"HEADER": notes["HEADER"]}) is None
    short = msgspec.structs.replace(letter, parts=letter.parts[:1])
    closing = {**letters, "1.2": b"--in--\r\n--out\r\nContent-Type: text/plain\r\n\r\nmore"}
    assert assemble(short, closing) is None


def test_texts_that_are_themselves_too_long_are_not_asked_for():
    structure, _ = server_of(b"Subject: x\r\n\r\nbody\r\n")
    assert sections_of(msgspec.structs.replace(structure, size=MAX_BYTES + 1)) == ("HEADER",)


def usual() -> Iterator[tuple[str, bytes]]:
    """Real messages of some size that the standard library reads without a complaint."""
    for name, raw in messages():
        if len(raw) > 4_000 and b"\0" not in raw and (b"\r\n" in raw or b"\r" not in raw):
            message = email.message_from_bytes(raw)
            if not any(part.defects for part in message.walk()):
                yield name, raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_real_messages_read_the_same_from_their_sections():
    if not messages():
        pytest.skip("the corpora are not beside the project")
    count = same = parts = mistaken = 0
    for name, raw in usual():
        skeleton = skeleton_of(raw)
        count += 1
        if skeleton is None:
            continue
        whole, read = parse(raw), parse(skeleton.raw, skeleton.attachment_sizes)
        assert apart_from_sizes(read) == apart_from_sizes(whole), name
        same += 1
        parts += len(read.attachments)
        for told, true in zip(read.attachments, whole.attachments, strict=True):
            mistaken += abs(told.size_bytes - true.size_bytes) > 100 + true.size_bytes // 50
    assert count > 500
    assert parts > 100
    assert mistaken < parts * 0.02  # files with the footer of a mailing list behind them
    assert same > count * 0.98
