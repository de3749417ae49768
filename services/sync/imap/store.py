"""Marking messages (UID STORE, RFC 9051 §6.4.6; UNCHANGEDSINCE, RFC 7162 §3.1.3; X-GM-LABELS)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.sync.domain.covered import Covered
from services.sync.imap.arguments import Part, flag_list, string, uid_set
from services.sync.imap.fetch import FlagsOf
from services.sync.imap.flags import Marks
from services.sync.imap.gathering import UIDS_PER_COMMAND
from services.sync.imap.names import encode_name
from services.sync.imap.parser import Status, Untagged, as_spans
from services.sync.imap.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a server made of a wish to mark messages."""

    marks: dict[int, FlagsOf]  # as it says they are marked now; not every server says
    modified: frozenset[int]  # changed by somebody else since: nothing was done to these


async def store_flags(
    wire: Wire, uids: Sequence[int], sign: str, flags: Iterable[str], *, since: int | None
) -> Stored:
    """Add (`+`) or remove (`-`) flags; with `since` only where nothing else was changed."""
    return await _store(wire, uids, f"{sign}FLAGS".encode(), flag_list(flags), since)


async def store_labels(wire: Wire, uids: Sequence[int], sign: str, labels: Iterable[str]) -> Stored:
    """Add or remove labels of Gmail; its own (`\\Inbox`) are said bare."""
    bare = sorted(label for label in labels if label.startswith("\\"))
    said: list[Part] = [flag_list(bare)] if bare else []
    stored = Stored(marks={}, modified=frozenset())
    item = f"{sign}X-GM-LABELS".encode()
    for label in sorted(label for label in labels if not label.startswith("\\")):
        said.append(string(encode_name(label)))
    for one in said:
        stored = await _store(wire, uids, item, one, None)
    return stored


async def _store(
    wire: Wire, uids: Sequence[int], item: bytes, value: Part, since: int | None
) -> Stored:
    wanted = set(uids)
    marks: dict[int, FlagsOf] = {}
    modified: set[int] = set()
    reader = Marks()
    before: list[Part] = [] if since is None else [b"(UNCHANGEDSINCE %d)" % since]
    for start in range(0, len(uids), UIDS_PER_COMMAND):
        async with wire.exchange() as exchange:
            some = uids[start : start + UIDS_PER_COMMAND]
            await exchange.send("UID STORE", uid_set(some), *before, item, value)
            while exchange.owed:
                match answer := await exchange.next():
                    case Untagged(kind="FETCH"):
                        told = reader.read(answer)
                        if told is None or told.uid not in wanted:
                            exchange.overhear(answer)
                        else:
                            marks[told.uid] = told
                    case Status(tag=str(), code="MODIFIED"):
                        modified |= _uids(answer, wanted)
                    case Status(tag=str(), status="NO" | "BAD"):
                        # Of messages that are gone nothing need be said (RFC 9051 §6.4.6).
                        if answer.code != "EXPUNGEISSUED":
                            raise exchange.refusal(answer)
                    case _:
                        exchange.overhear(answer)
    return Stored(marks=marks, modified=frozenset(modified))


def _uids(answer: Status, wanted: set[int]) -> set[int]:
    values = answer.values()
    covered = as_spans(values[0]) if values else Covered()
    return {uid for uid in wanted if uid in covered}
