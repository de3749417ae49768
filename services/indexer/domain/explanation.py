"""What a term of a query was taken for, in words."""

from datetime import datetime, tzinfo

from services.indexer.domain.meaning import Reader
from services.indexer.domain.tree import (
    And,
    InAccount,
    InMailbox,
    InThread,
    Keyword,
    Labelled,
    Larger,
    Mark,
    Node,
    Not,
    Or,
    Received,
    Word,
    Words,
)

_NAMES_SHOWN = 5


def meaning(node: Node, reader: Reader) -> str:
    """One line of English."""
    match node:
        case Words(words, field):
            text = _phrase(words)
            return f"{text} in {field.value}" if field else text
        case Mark(lexeme):
            return f"has {lexeme.removeprefix(':').removeprefix('has:')}"
        case Keyword(keyword):
            return f"marked {keyword}"
        case Received(since):
            return f"received at or after {_at(since, reader.zone)}"
        case Not(Received(until)):
            return f"received before {_at(until, reader.zone)}"
        case Larger(size_bytes):
            return f"larger than {size_bytes} bytes"
        case Not(Larger(size_bytes)):
            return f"not larger than {size_bytes} bytes"
        case InMailbox(ids):
            named = [one.path for one in reader.mailboxes if one.mailbox_id in ids]
            return f"in {_names(named) or 'a mailbox that is not there'}"
        case InAccount(ids):
            named = [one.email for one in reader.accounts if one.account_id in ids]
            return f"in account {_names(named) or 'that is not there'}"
        case InThread():
            return "in this thread"
        case Labelled(label):
            return f"labelled {label}"
        case Not(inner):
            return f"not {meaning(inner, reader)}"
        case And(nodes):
            return " and ".join(meaning(one, reader) for one in nodes) or "anything"
        case Or(nodes):
            return " or ".join(meaning(one, reader) for one in nodes)


def _phrase(words: tuple[Word, ...]) -> str:
    text = " ".join(word.text + ("…" if word.is_prefix else "") for word in words)
    return f"“{text}”"


def _names(named: list[str]) -> str:
    rest = len(named) - _NAMES_SHOWN
    return ", ".join(named[:_NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _at(moment: datetime, zone: tzinfo) -> str:
    try:
        return moment.astimezone(zone).isoformat(timespec="minutes")
    except OverflowError:  # at an end of the calendar
        return moment.isoformat(timespec="minutes")
