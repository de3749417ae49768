"""Header fields as bytes: folded, encoded words where needed, nothing smuggled in.

Written here and not left to the header registry of `email`: what its folding makes of long
names and encoded words differs between patch releases of Python (lost blanks, lost quotes).
"""

import re
from collections.abc import Sequence
from email.header import Header
from urllib.parse import quote

_ATOM_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_BLANKS = re.compile("[\t\x85\u2028\u2029]")  # a tab, and line ends of Unicode that came by pasting
_NAMELESS = '"":'
_LINE = 78  # RFC 5322 §2.1.1
_LONGEST_LINE = 998
_LONGEST_WORD = 60
_MESSAGE_ID = re.compile(r"[^\s<>\x00-\x1f\x7f-\U0010ffff]{1,900}")
_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"  # RFC 5987 §3.2.1


class BadHeader(ValueError):
    """This text cannot stand in a header."""


def header_text(text: str) -> str:
    """The text fit for one header field; raises BadHeader where it would begin another.

    A line end inside a field is an attempt to add fields (or a mistake); it is refused and
    not mended, so that nobody sends what they did not mean.
    """
    text = _BLANKS.sub(" ", text).strip()
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise BadHeader("line ends and control characters cannot stand in a header")
    return text.encode("utf-8", "replace").decode("utf-8")


def unstructured(name: str, text: str) -> bytes:
    """A field of free words (RFC 5322 §2.2.1), e.g. Subject."""
    if _must_encode(text):
        return f"{name}: {_encoded(text, first=len(name) + 2)}\r\n".encode("ascii")
    return _folded(name, text.split(" ") if text else [], between="")


def addresses(name: str, people: list[tuple[str, str]]) -> bytes:
    """A field of display names and addresses on the wire (RFC 5322 §3.4).

    UTF-8 stands only where an address itself has it (RFC 6532 §3.2); names are encoded words.
    """
    return _folded(name, [_mailbox(*one) for one in people], between=",")


def grouped(
    name: str, people: list[tuple[str, str]], groups: list[tuple[str, list[tuple[str, str]]]]
) -> bytes:
    """A field of people and of groups of people (RFC 5322 §3.4)."""
    words = [f"{_mailbox(*one)}," for one in people]
    for group, members in groups:
        words.append(_phrase(group) + ":" if group else _NAMELESS)
        words += [f"{_mailbox(*one)}," for one in members]
        words[-1] = f"{words[-1].removesuffix(',')};,"
    words[-1] = words[-1].removesuffix(",")
    return _folded(name, words, between="")


def message_ids(name: str, ids: Sequence[str]) -> bytes:
    """A field of Message-IDs (RFC 5322 §3.6.4); raises BadHeader for what can be none."""
    for one in ids:
        if not _MESSAGE_ID.fullmatch(one):
            raise BadHeader("a Message-ID has blanks, brackets or characters outside ASCII")
    return _folded(name, [f"<{one}>" for one in ids], between="")


def as_given(name: str, value: str) -> bytes:
    """A field that its reader takes apart himself: ASCII as it is, folded at its blanks only.

    Raises BadHeader for what is not ASCII, or has no blank where a line must end (RFC 5322 §2.1.1).
    """
    if not value.isascii():
        raise BadHeader(f"{name} cannot hold characters outside ASCII")
    field = _folded(name, value.split(), between="")
    if any(len(line) > _LONGEST_LINE for line in field.split(b"\r\n")):
        raise BadHeader(f"{name} has a word that is longer than a line may be")
    return field


def with_parameter(value: str, name: str, text: str) -> str:
    """`value; name="text"`, in as many pieces as it takes (RFC 2231 §3, §4)."""
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST_WORD:
        escaped = re.sub(r'(["\\])', r"\\\1", text)
        return f'{value};\r\n {name}="{escaped}"'
    pieces: list[str] = []
    for character in text:
        encoded = quote(character, safe=_ATTRIBUTE_CHARACTERS)
        if pieces and len(pieces[-1]) + len(encoded) <= _LONGEST_WORD:
            pieces[-1] += encoded
        else:
            pieces.append(encoded)
    if len(pieces) <= 1:
        return f"{value};\r\n {name}*=utf-8''{''.join(pieces)}"
    pieces[0] = f"utf-8''{pieces[0]}"
    return value + "".join(f";\r\n {name}*{number}*={piece}" for number, piece in enumerate(pieces))


def _folded(name: str, words: list[str], *, between: str) -> bytes:
    lines = [f"{name}:"]
    for number, word in enumerate(words, 1):
        word += between if number < len(words) else ""
        first = word.split("\r\n", 1)[0]
        last = lines[-1].rsplit("\r\n", 1)[-1]
        # The name of the field is not left alone on its line: some readers take it for empty.
        if len(last) + 1 + len(first) > _LINE and lines[-1] != f"{name}:":
            lines.append(f" {word}")
        else:
            lines[-1] += f" {word}"
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


def _mailbox(person: str, spec: str) -> str:
    return f"{_phrase(person)} <{spec}>" if person else spec


def _phrase(person: str) -> str:
    """A display name: as it is, quoted, or as encoded words (RFC 5322 §3.2.5)."""
    if _must_encode(person):
        return _encoded(person, first=8)
    if _ATOM_PHRASE.fullmatch(person):
        return person
    escaped = re.sub(r'(["\\])', r"\\\1", person)
    return f'"{escaped}"'


def _must_encode(text: str) -> bool:
    """Whether the text needs encoded words (RFC 2047), also to be read back as it was written."""
    return (
        not text.isascii()
        or "=?" in text  # would be read as an encoded word itself
        or "  " in text  # blanks may be lost where a line is folded
        or any(len(word) > _LONGEST_WORD for word in text.split(" "))
    )


def _encoded(text: str, *, first: int) -> str:
    header = Header(text, "utf-8", maxlinelen=75, header_name="x" * max(first - 2, 1))
    return header.encode(linesep="\r\n")
