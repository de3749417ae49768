"""How a message is built, told by the server (BODYSTRUCTURE, RFC 9051 §7.5.2), read generously."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.sync.imap.gathering import Told, gather
from services.sync.imap.parser import Value, as_number, as_string, as_text
from services.sync.imap.wire import Wire

#: Nobody nests deeper, or sends more parts, for a good reason.
MAX_DEPTH = 100
MAX_PARTS = 10_000

_DISPOSITION = re.compile(rb"(attachment|inline)\s*((?:;.*)?)", re.IGNORECASE | re.DOTALL)
_PARAM = re.compile(rb';\s*([^\s=;"]+)=(?:"([^"]*)"|([^;\s"]*))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """One part of a message, and the parts in it."""

    section: str  # its name for `sections`: "1.2"; "TEXT" or "3.TEXT" for what holds the parts
    media_type: str  # "text/plain", in lower case
    params: dict[str, str]  # names in lower case, values as they stand
    disposition: str | None  # "attachment", in lower case
    disposition_params: dict[str, str]
    content_id: str | None
    encoding: str  # "base64", in lower case
    size: int  # in octets, as encoded
    parts: tuple[Structure, ...] = ()
    message: bool = False  # a whole message, whose one part is what it consists of


async def structure(wire: Wire, uids: Sequence[int]) -> dict[int, Structure]:
    """How these messages are built; one that is gone or cannot be understood is left out."""

    def read(uid: int, told: Told) -> tuple[int, Structure | None] | None:
        if "BODYSTRUCTURE" not in told:
            return None
        return uid, structure_in(told["BODYSTRUCTURE"])

    gathered = gather(wire, uids, b"(UID BODYSTRUCTURE)", read)
    return {uid: built async for uid, built in gathered if built is not None}


def structure_in(value: Value) -> Structure | None:
    """The tree of parts, or None when there is none to be seen."""
    try:
        return _Reader().whole(value, "")
    except _Absurd:
        return None


class _Absurd(Exception):
    """This is not how messages are built."""


class _Reader:
    def __init__(self) -> None:
        self._count = 0
        self._depth = 0

    def whole(self, value: Value, prefix: str) -> Structure:
        """A message: its only part is number 1, its multipart is its text (RFC 9051 §6.4.5)."""
        return self._part(value, f"{prefix}TEXT" if _multipart(value) else f"{prefix}1", prefix)

    def _part(self, value: Value, section: str, prefix: str) -> Structure:
        """A part; what is in it is named beginning with the prefix."""
        self._count += 1
        self._depth += 1
        if self._count > MAX_PARTS or self._depth > MAX_DEPTH:
            raise _Absurd
        if not isinstance(value, list) or not value:
            raise _Absurd
        part = (self._multipart if _multipart(value) else self._single)(value, section, prefix)
        self._depth -= 1
        return part

    def _multipart(self, value: list[Value], section: str, prefix: str) -> Structure:
        inside = [one for one in value if isinstance(one, list)]
        count = next((i for i, one in enumerate(value) if not isinstance(one, list)), len(value))
        inside, rest = inside[:count], value[count:]
        if rest[:1] == [None] and not inside:
            rest = rest[1:]  # NIL where there are no parts
        kind = _lower(rest[0]) if rest else None
        disposition, disposition_params = _disposition(rest[2:])
        return Structure(
            section=section,
            media_type=f"multipart/{kind or 'mixed'}",
            params=_params(rest[1]) if len(rest) > 1 else {},
            disposition=disposition,
            disposition_params=disposition_params,
            content_id=None,
            encoding="7bit",
            size=0,
            parts=tuple(
                self._part(one, f"{prefix}{number}", f"{prefix}{number}.")
                for number, one in enumerate(inside, 1)
            ),
        )

    def _single(self, value: list[Value], section: str, prefix: str) -> Structure:
        told = [*value, *[None] * 7]  # what is missing at the end is NIL
        kind, subtype = _lower(told[0]), _lower(told[1])
        media_type = f"{kind}/{subtype}" if kind and subtype else "application/octet-stream"
        inside: tuple[Structure, ...] = ()
        rest = value[7:]
        message = media_type in {"message/rfc822", "message/global"}
        if message and len(rest) > 1 and isinstance(rest[1], list):
            inner = f"{section}."
            inside = (self.whole(rest[1], inner),)
            rest = rest[2:]
        disposition, disposition_params = _disposition(rest)
        content_id = as_string(told[3])
        return Structure(
            section=section,
            media_type=media_type,
            params=_params(told[2]),
            disposition=disposition,
            disposition_params=disposition_params,
            content_id=as_text(content_id) if content_id else None,
            encoding=_lower(told[5]) or "7bit",
            size=as_number(told[6]) or 0,
            parts=inside,
            message=bool(inside),
        )


def _multipart(value: Value) -> bool:
    """Whether parts stand at the beginning, or NIL where there are none."""
    return isinstance(value, list) and (
        isinstance(value[0], list) or (value[0] is None and len(value) < 7) if value else False
    )


def _lower(value: Value) -> str | None:
    raw = as_string(value)
    return as_text(raw).strip().lower() if raw else None


def _params(value: Value) -> dict[str, str]:
    pairs = value if isinstance(value, list) else []
    params: dict[str, str] = {}
    for name, said in zip(pairs[::2], pairs[1::2], strict=False):
        key, raw = _lower(name), as_string(said)
        if key and raw is not None:
            params.setdefault(key, as_text(raw))
    return params


def _disposition(values: list[Value]) -> tuple[str | None, dict[str, str]]:
    """The first thing that looks like one: servers differ in how many fields stand before it."""
    for value in values:
        match value:
            case [(str() | bytes()) as kind, (list() | None) as params]:
                return _lower(kind), _params(params)
            case bytes() if plain := _DISPOSITION.fullmatch(value):  # as it stands in the header
                named = _PARAM.findall(plain[2])
                return _lower(plain[1]), {
                    as_text(name).lower(): as_text(quoted or bare) for name, quoted, bare in named
                }
            case _:
                pass
    return None, {}
