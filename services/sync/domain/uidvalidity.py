"""Whether the UIDs we remember of a mailbox still mean what they meant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """Where we stand in a mailbox."""

    uidvalidity: int


@dataclass(frozen=True, slots=True)
class Begin:
    """The mailbox is new to us."""

    uidvalidity: int


@dataclass(frozen=True, slots=True)
class Resume:
    """The UIDs we remember are still good."""

    position: Position


@dataclass(frozen=True, slots=True)
class Remap:
    """The messages have new UIDs; which is which has to be found out."""

    position: Position
    to: int


def next_step(remembered: Position | None, announced: int) -> Resume | Remap | Begin:
    """How to read on in a mailbox that now announces this UIDVALIDITY.

    A UID keeps its meaning only while UIDVALIDITY keeps its value (RFC 9051 §2.3.1.1). When it
    differs, higher or lower, UIDs are matched anew to the messages we keep: what a message is did
    not change, only its number.
    """
    if remembered is None:
        return Begin(announced)
    if remembered.uidvalidity != announced:
        return Remap(remembered, to=announced)
    return Resume(remembered)
