"""How urgent a sender says a message is."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts.content import Priority

#: The one that is a standard first (RFC 4021 §2.1.54); Priority is RFC 2156's.
_FIELDS = ("importance", "x-priority", "priority", "x-msmail-priority")
_WORDS = {
    **dict.fromkeys((b"high", b"urgent", b"highest", b"1", b"2"), Priority.HIGH),
    **dict.fromkeys((b"low", b"non-urgent", b"lowest", b"4", b"5"), Priority.LOW),
}


def priority_of(fields: Mapping[str, bytes]) -> Priority | None:
    """The first that is out of the usual; `1 (Highest)` is how some write it."""
    for name in _FIELDS:
        if name in fields:
            words = fields[name][:40].lower().split(None, 1)
            if words and words[0] in _WORDS:
                return _WORDS[words[0]]
    return None
