"""Events by what they say: the part of the search language that an event can answer by itself.

An event of a message tells who wrote, the subject, how the message is marked, and where it is; not
its text, and no more than its marks and its place once the message is known. What an event does
not say is neither so nor otherwise: only what surely matches is told.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from services.api.domain.logbook import EventType
from services.api.domain.refusals import QueryInvalid
from shared.contracts.ids import Kind, shown
from shared.contracts.search import Condition, ExplainedTerm, NamedMailbox

#: Of which it can be said whether they match. A page of a first copy tells ids alone.
ASKABLE_TYPES = (
    EventType.MESSAGE_RECEIVED.value,
    EventType.MESSAGE_UPDATED.value,
    EventType.MESSAGE_MOVED.value,
)

_MARKS = {
    "read": "\\seen",
    "starred": "\\flagged",
    "flagged": "\\flagged",
    "answered": "\\answered",
    "replied": "\\answered",
    "forwarded": "$forwarded",
    "draft": "\\draft",
    "important": "$important",
}
_ROLES = {"draft": "drafts", "bin": "trash", "spam": "junk"}
_ANYWHERE = frozenset({"anywhere", "any"})
# A run of letters and digits; each sign of a script that writes no spaces stands for itself.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


class EventQuery(Struct, frozen=True, kw_only=True):
    """Which events somebody asks for: their words, and how these were understood."""

    text: str
    condition: Condition

    @property
    def asks_where(self) -> bool:
        """Whether mailboxes are named, so that what they are called has to be known."""
        return any(leaf.operator == "in" for leaf in _leaves(self.condition))


Data = Mapping[str, Any]
Mailboxes = Mapping[str, NamedMailbox]  # by their ids as they are shown


def refuse_unanswerable(condition: Condition, terms: Sequence[ExplainedTerm]) -> None:
    """Raises QueryInvalid, with the place, for a query that asks what no event says."""
    for leaf, term in zip(_leaves(condition), terms, strict=True):
        why = _unanswerable(leaf)
        if why is not None:
            raise QueryInvalid(why, position=term.position)


def askable(types: Sequence[str] | None) -> list[str]:
    """Those of these types, or of all, that a query can be asked of."""
    return [kind for kind in ASKABLE_TYPES if types is None or kind in types]


def matches(query: EventQuery, kind: str, body: str, mailboxes: Mailboxes) -> bool:
    """Whether the event surely is as asked."""
    if kind not in ASKABLE_TYPES:
        return False
    data: Data = msgspec.json.decode(body)
    if kind == EventType.MESSAGE_RECEIVED and "id" in data and "subject" not in data:
        return True  # it had too much to say, and was cut to its ids: better told than missed
    return _is_so(query.condition, data, mailboxes) is True


def _leaves(condition: Condition) -> list[Condition]:
    """The terms, as they stand in the query."""
    if condition.value is not None:
        return [condition]
    if condition.not_ is not None:
        return _leaves(condition.not_)
    return [leaf for inner in condition.all or condition.any or () for leaf in _leaves(inner)]


def _unanswerable(term: Condition) -> str | None:
    operator, value = term.operator or "", (term.value or "").strip().casefold()
    if not operator:
        return "An event does not tell a message's text; ask for from: or subject:."
    if operator not in _ANSWERS:
        return f"An event does not tell “{operator}:”; it answers {_operators()}."
    if operator == "from" and value == "me":
        return "An event does not tell who “me” is; name an address."
    if operator == "has" and value != "attachment":
        return "Of attachments, an event tells only whether there are any: has:attachment."
    if operator == "is" and value != "unread" and value not in _MARKS:
        return f"An event does not tell “is:{value[:40]}”."
    return None


def _operators() -> str:
    return ", ".join(f"{name}:" for name in _ANSWERS)


# --- What one event says (Kleene's logic: None is neither) ----------------------------------------


def _is_so(condition: Condition, data: Data, mailboxes: Mailboxes) -> bool | None:
    if condition.value is not None:
        return _ANSWERS[condition.operator or ""](condition, data, mailboxes)
    if condition.not_ is not None:
        inner = _is_so(condition.not_, data, mailboxes)
        return None if inner is None else not inner
    decides = condition.any is not None
    several = [_is_so(each, data, mailboxes) for each in condition.all or condition.any or ()]
    if decides in several:
        return decides
    return None if None in several else not decides


def _from(term: Condition, data: Data, _: Mailboxes) -> bool | None:
    if "from" not in data:
        return None
    sender = data["from"]
    if sender is None:
        return False
    return _reads(term, sender["name"]) or _reads(term, sender["email"])


def _subject(term: Condition, data: Data, _: Mailboxes) -> bool | None:
    return _reads(term, data["subject"]) if "subject" in data else None


def _is(term: Condition, data: Data, _: Mailboxes) -> bool | None:
    if "keywords" not in data:
        return None
    value = (term.value or "").strip().casefold()
    if value == "unread":
        return bool(data["unread"])
    return _MARKS[value] in {keyword.casefold() for keyword in data["keywords"]}


def _has(_term: Condition, data: Data, _: Mailboxes) -> bool | None:
    return data.get("has_attachments")


def _label(term: Condition, data: Data, _: Mailboxes) -> bool | None:
    if "labels" not in data:
        return None
    wanted = _folded((term.value or "").strip())
    return any(_folded(label) == wanted for label in data["labels"])


def _thread(term: Condition, data: Data, _: Mailboxes) -> bool | None:
    return data["thread_id"] == (term.value or "").strip() if "thread_id" in data else None


def _in(term: Condition, data: Data, mailboxes: Mailboxes) -> bool | None:
    """By role, name, path or id, as mailboxes are called now; `…/*`: and all below."""
    wanted = _folded((term.value or "").strip())
    if wanted in _ANYWHERE:
        return True
    if "mailbox_id" not in data:
        return None
    mailbox = mailboxes.get(data["mailbox_id"] or "")
    if mailbox is None:
        return None  # gone meanwhile: what it was called, nobody knows
    delimiter = mailbox.delimiter or "/"
    path = _folded(mailbox.path).replace(delimiter, "/")
    wanted = wanted.replace(delimiter, "/")
    if wanted.endswith("/*"):
        return path == wanted[:-2] or path.startswith(wanted[:-1])
    names = {path, path.rpartition("/")[2], _folded(shown(Kind.MAILBOX, mailbox.mailbox_id))}
    return wanted in names or mailbox.role == _ROLES.get(wanted, wanted)


_Answer = Callable[[Condition, Data, Mailboxes], bool | None]

_ANSWERS: dict[str, _Answer] = {
    "from": _from,
    "subject": _subject,
    "is": _is,
    "has": _has,
    "in": _in,
    "label": _label,
    "thread": _thread,
}


# --- Words ----------------------------------------------------------------------------------------


def _reads(term: Condition, text: str) -> bool:
    """Whether the words stand in the text: a phrase in its order, others wherever they are."""
    words = _words(text)
    value = term.value or ""
    return all(_stands(part, words) for part in ([value] if term.phrase else value.split()))


def _stands(asked: str, words: Sequence[str]) -> bool:
    wanted = _words(asked)
    last = len(wanted) - 1
    begins = asked.endswith("*")
    return any(
        all(
            words[at + n].startswith(word) if begins and n == last else words[at + n] == word
            for n, word in enumerate(wanted)
        )
        for at in range(len(words) - last)
    )


@lru_cache(maxsize=256)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(_folded(text)))


def _folded(text: str) -> str:
    """Without case and accents, as people search."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))
