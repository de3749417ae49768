"""People in header fields (RFC 5322 §3.4), also as they are written by hand."""

from __future__ import annotations

import re
from functools import lru_cache

from services.sync.domain.mime.charset import decode
from services.sync.domain.mime.words import decode_words, one_line
from shared.contracts.mail import Address

#: Nobody writes to more in one field; a header bomb does.
MAX_ADDRESSES = 1_000
MAX_LENGTH = 1_000
_FEW_BYTES = 200

_TOKEN = re.compile(
    r"""
      "(?P<quoted>[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*)(?:"|\Z)
    | (?P<open>\()
    | <(?P<angle>[^<>]*)(?:>|\Z)
    | (?P<end>[,;])
    | (?P<group>:)
    | (?P<word>=\?[^\s?]+\?[bBqQ]\?[^?]*\?=)
    | (?P<atom>[^\s"(<,;:]+)
    | (?P<space>\s+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SPEC = r"[^\s<>@\"(),;:\\']+@[^\s<>@\"(),;:\\']+"
#: How nearly everybody is written: `Ann <a@b>`, `"Ann" <a@b>`, `a@b`.
_USUAL = re.compile(rf"(?:\"([^\"\\]*)\"\s*|([^\"(),;:<>@\\]*))<({_SPEC})>|({_SPEC})")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BRACKET = re.compile(r"[()\\]")
_ADDRESS = re.compile(r"(?:\"[^\"]*\"|[^\s@<>\"(),;:]+)@[^\s@<>\"(),;:]+")


def parse_addresses(raw: bytes, *, hint: str | None = None) -> tuple[Address, ...]:
    """Everybody named in a field; members of a group one by one.

    An entry without an address keeps its name; one without either is nobody.
    """
    return _same(raw, hint) if len(raw) <= _FEW_BYTES else _read(raw, hint)


@lru_cache(maxsize=512)
def _same(raw: bytes, hint: str | None) -> tuple[Address, ...]:
    """Whose mailbox it is is in every message, and most others write more than once."""
    return _read(raw, hint)


def _read(raw: bytes, hint: str | None) -> tuple[Address, ...]:
    text = decode(raw, None, hint=hint)
    usual = _usual(text)
    return usual if usual is not None else _unusual(text)


def _usual(text: str) -> tuple[Address, ...] | None:
    """Everybody, where nobody is written in a way that has to be looked at closely."""
    people: list[Address] = []
    entries = text.split(",")
    if len(entries) > MAX_ADDRESSES:
        return None
    for entry in entries:
        found = _USUAL.fullmatch(entry.strip())
        if found is None:
            return None
        quoted, name, angle, bare = found.groups()
        email = angle or bare
        if "=?" in email:
            return None
        name = (quoted or name or "").strip()[:MAX_LENGTH]
        if name:
            name = one_line(decode_words(name.encode("utf-8")))
        people.append(Address(name=name[:MAX_LENGTH], email=email[:MAX_LENGTH]))
    return tuple(people)


def _unusual(text: str) -> tuple[Address, ...]:
    people: list[Address] = []
    words: list[str] = []  # display name or bare address, with the spaces between
    comments: list[str] = []
    angle: str | None = None
    at_sign = False

    def settle() -> None:
        nonlocal angle, at_sign
        person = _person(words, comments, angle)
        if person is not None:
            people.append(person)
        words.clear()
        comments.clear()
        angle, at_sign = None, False

    at = 0
    while at < len(text) and len(people) < MAX_ADDRESSES:
        token = _TOKEN.match(text, at)
        if token is None:
            break
        at = token.end()
        match token.lastgroup:
            case "quoted":
                local_part = text.startswith("@", at)
                words.append(token[0] if local_part else _ESCAPED.sub(r"\1", token["quoted"]))
            case "open":
                comment, at = _comment(text, at)
                comments.append(comment)
                words.append(" ")
            case "angle":
                if angle is None or not angle.strip():
                    angle = token["angle"]
            case "end":
                settle()
            case "group":
                if at_sign:  # an address, and no name of a group
                    words.append(":")
                else:
                    words.clear()
                    comments.clear()
            case _:
                words.append(token[0])
                at_sign = at_sign or "@" in token[0]
    settle()
    return tuple(people)


def _comment(text: str, at: int) -> tuple[str, int]:
    """What stands in brackets, which nest, and where it ends."""
    depth = 1
    start = at
    while found := _BRACKET.search(text, at):
        at = found.end()
        if found[0] == "\\":
            at += 1
        elif found[0] == "(":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return text[start : at - 1], at
    return text[start:], len(text)


def _person(words: list[str], comments: list[str], angle: str | None) -> Address | None:
    name = "".join(words).strip()[:MAX_LENGTH]
    email = "".join((angle or "").split())
    email = email.rpartition(":")[2] if email.startswith("@") else email  # a route: @a,@b:c@d
    if angle is None or (not email and "@" in name):
        bare = "".join(name.split()) if name.count("@") == 1 else ""
        if _ADDRESS.fullmatch(name):
            email, name = name, ""
        elif found := _ADDRESS.search(name):
            email = found[0]
            name = (name[: found.start()] + name[found.end() :]).strip(" \t'")
        elif bare and "@" in bare:
            email, name = bare, ""
    if not name and comments:
        name = " ".join(comments)
    name = one_line(decode_words(name.encode("utf-8")))
    if "=?" in email:
        email = "".join(decode_words(email.encode("utf-8")).split())
    email = email.removeprefix("mailto:").strip("'")
    if '"@' not in email:  # no quoted local part
        email = email.strip('"')
    if not name and not email:
        return None
    return Address(name=name[:MAX_LENGTH], email=email[:MAX_LENGTH])
