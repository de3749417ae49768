"""What people want changed of messages: how it shows at once, and how it is taken back."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from msgspec import Struct

from shared.contracts.intent import (
    Copy,
    Destroy,
    Label,
    MailboxChange,
    Mark,
    MessageChange,
    Move,
    Step,
)


class Shown(Struct, frozen=True, kw_only=True):
    """Where a message is shown, and how marked."""

    mailbox_id: UUID | None
    keywords: tuple[str, ...]
    labels: tuple[str, ...]


class Asked(Struct, frozen=True, kw_only=True):
    """What a person asked for."""

    changes: tuple[MessageChange, ...] = ()  # to each message, one after the other
    mailbox: MailboxChange | None = None
    mailbox_back: MailboxChange | None = None  # what takes the change of a mailbox back

    @property
    def is_final(self) -> bool:
        """Whether nothing brings back what it does."""
        if self.mailbox is not None:
            return self.mailbox_back is None
        return any(isinstance(change, Destroy) for change in self.changes)


def shown_after(steps: Iterable[MessageChange], state: Shown) -> Shown:
    """How a message is shown when these are carried out; copies show when they are there."""
    for change in steps:
        match change:
            case Mark(add=add, remove=remove):
                keywords = _marked(state.keywords, add, remove)
                state = Shown(mailbox_id=state.mailbox_id, keywords=keywords, labels=state.labels)
            case Label(add=add, remove=remove):
                labels = tuple(sorted((set(state.labels) | add) - remove))
                state = Shown(mailbox_id=state.mailbox_id, keywords=state.keywords, labels=labels)
            case Move(mailbox_id=mailbox_id):
                state = Shown(mailbox_id=mailbox_id, keywords=state.keywords, labels=state.labels)
            case Destroy():
                state = Shown(mailbox_id=None, keywords=state.keywords, labels=state.labels)
            case Copy():
                pass
    return state


def steps_back(steps: Iterable[Step], was: dict[UUID, Shown]) -> tuple[Step, ...]:
    """What takes these steps back, for messages that were shown so before."""
    back: defaultdict[MessageChange, list[UUID]] = defaultdict(list)
    for step in reversed(list(steps)):
        for message_id in step.message_ids:
            before = was.get(message_id)
            change = before and _back(step.change, before)
            if change is not None:
                back[change].append(message_id)
    return tuple(Step(change=change, message_ids=tuple(ids)) for change, ids in back.items())


def _back(change: MessageChange, was: Shown) -> MessageChange | None:
    match change:
        case Mark(add=add, remove=remove):
            had = {one.lower() for one in was.keywords}
            back = Mark(
                add=frozenset(one for one in remove if one.lower() in had),
                remove=frozenset(one for one in add if one.lower() not in had),
            )
            return back if back.add or back.remove else None
        case Label(add=add, remove=remove):
            labels = Label(add=remove.intersection(was.labels), remove=add.difference(was.labels))
            return labels if labels.add or labels.remove else None
        case Move(mailbox_id=mailbox_id):
            if was.mailbox_id in (None, mailbox_id):
                return None
            return Move(mailbox_id=was.mailbox_id)
        case Copy() | Destroy():
            return None


def changes_of(steps: Sequence[Step], message_id: UUID) -> list[MessageChange]:
    """What these steps do to one message."""
    return [step.change for step in steps if message_id in step.message_ids]


def _marked(
    keywords: Iterable[str], add: frozenset[str], remove: frozenset[str]
) -> tuple[str, ...]:
    """Keywords are the same in any case (RFC 9051 §9: flag)."""
    gone = {one.lower() for one in add | remove}
    return tuple(sorted({one for one in keywords if one.lower() not in gone} | (add - remove)))
