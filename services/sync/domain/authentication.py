"""What the receiving server found out about a sender (Authentication-Results, RFC 8601).

Anybody can write this field into a message. The server that received it is to remove what claims to
be its own (§5) and adds its findings on top; so only fields are believed that are at the top, from
one server, and stand where that server's own Received field is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from services.sync.domain.mime.words import decode_words, one_line
from shared.contracts.content import AuthenticationResult

MAX_RESULTS = 50
_MAX_FIELD = 10_000
_MAX_TEXT = 500

_COMMENT = re.compile(r"\([^()]*+\)")
_QUOTED = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*)"')
_BY = re.compile(r"\bby\s+\[?([A-Za-z0-9._-]+)", re.IGNORECASE)
_METHOD = re.compile(r"([A-Za-z][\w.-]*)\s*(?:/\s*\d+\s*)?=\s*([A-Za-z][\w-]*)")
_PROPERTY = re.compile(
    r"(?<![\w.-])([A-Za-z][\w.-]*+)\s*=\s*(\"[^\"\\]*+(?:\\.[^\"\\]*+)*\"|[^\s;]+)"
)
_FIELD = "authentication-results"


def authentication_of(fields: Sequence[tuple[str, bytes]]) -> tuple[AuthenticationResult, ...]:
    """What the receiving server says; nothing where it says nothing."""
    results: list[AuthenticationResult] = []
    server: str | None = None
    for place, (name, value) in enumerate(fields):
        if name.lower() != _FIELD:
            continue
        text = one_line(decode_words(value[:_MAX_FIELD]))
        named, stated = _read(text)
        if server is None:
            if not _is_receiver(named, place, fields):
                break
            server = named
        elif named.lower() != server.lower():
            break  # of a server before it, or made up
        results.extend(stated)
    return tuple(results[:MAX_RESULTS])


def _is_receiver(named: str, place: int, fields: Sequence[tuple[str, bytes]]) -> bool:
    """Whether who says this is who received the message last."""
    above = _nearest_by(reversed(fields[:place]))
    below = _nearest_by(fields[place:])
    if above is None:  # on top of all; where no server stamped it, the message was not received
        return below is not None
    if not named:  # as Microsoft's servers write it
        return above.endswith((".outlook.com", ".office365.com"))
    return any(host is not None and _related(named.lower(), host) for host in (above, below))


def _nearest_by(fields: Sequence[tuple[str, bytes]] | Iterator[tuple[str, bytes]]) -> str | None:
    """Which server put the first of these Received fields there."""
    for name, value in fields:
        if name.lower() == "received":
            by = _BY.search(_COMMENT.sub(" ", value[:_MAX_FIELD].decode("latin-1")))
            return by[1].lower() if by else ""
    return None


def _related(one: str, other: str) -> bool:
    """Whether two hosts are of one house: the same, one in the other, or side by side."""
    if one == other or one.endswith(f".{other}") or other.endswith(f".{one}"):
        return "." in one and "." in other
    house = one.partition(".")[2]
    first, _, last = house.partition(".")
    if "." in last or (last and not (len(last) == 2 and len(first) <= 3)):  # no co.uk
        return house == other.partition(".")[2]
    return False


def _read(text: str) -> tuple[str, list[AuthenticationResult]]:
    """The name of the server, and each finding."""
    text = _without_comments(text)
    first, *rest = text.split(";")
    words = first.split()
    named = words[0].strip('"') if words and "=" not in first else ""
    statements = rest if words and "=" not in first else [first, *rest]
    return named[:_MAX_TEXT], [
        result for each in statements[:MAX_RESULTS] if (result := _result(named, each))
    ]


def _result(server: str, statement: str) -> AuthenticationResult | None:
    found = _METHOD.match(statement.strip())
    if found is None:  # `none`: nothing was looked at
        return None
    properties: dict[str, str] = {}
    reason: str | None = None
    for name, value in _PROPERTY.findall(statement.strip()[found.end() :]):
        quoted = _QUOTED.fullmatch(value)
        plain = (quoted[1] if quoted else value)[:_MAX_TEXT]
        if name.lower() == "reason":
            reason = plain
        elif "." in name and len(properties) < 20:  # ptype.property
            properties.setdefault(name.lower()[:100], plain)
    return AuthenticationResult(
        server=server,
        method=found[1].lower()[:40],
        result=found[2].lower()[:40],
        reason=reason,
        properties=properties,
    )


def _without_comments(text: str) -> str:
    for _ in range(5):  # they nest, though not deeply
        text, count = _COMMENT.subn(" ", text)
        if not count:
            break
    return text
