"""How a query is answered: what the index decides, and what is decided message by message.

The index is asked for a set that holds every answer. It is the answer itself unless the query
mixes words and other conditions below an OR or a NOT, or a message is so long that its tsvector
lacks places of words; those are decided by what else is known of each message.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.indexer.domain.document import BY_WEIGHT, PARTIAL, WEIGHT, field_lexeme, quoted
from services.indexer.domain.tree import (
    And,
    InAccount,
    InMailbox,
    InThread,
    Keyword,
    Labelled,
    Mark,
    Node,
    Not,
    Or,
    Received,
    Word,
    Words,
    leaves,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to ask of the index, and what is then left to decide."""

    tree: Node
    tsquery: str | None  # None: no word limits the answer
    required: list[str]  # keywords
    forbidden: list[str]
    labels: list[str]  # each as a label or keyword
    accounts: frozenset[UUID] | None  # None: any
    mailboxes: frozenset[UUID] | None
    other_mailboxes: frozenset[UUID]  # in none of these
    threads: frozenset[UUID] | None
    since: datetime | None
    until: datetime | None
    rest: Node | None  # None: the index decides alone, save for partial documents
    depends_on_places: bool

    @property
    def is_words_alone(self) -> bool:
        """Whether nothing but words, in all or some accounts, limits the answer."""
        return (
            self.rest is None
            and self.since is None
            and self.until is None
            and self.mailboxes is None
            and self.threads is None
            and not (self.required or self.forbidden or self.labels or self.other_mailboxes)
        )


def plan_of(tree: Node) -> Plan:
    """Take apart what must hold at once; each condition goes where it is cheapest."""
    required: set[str] = set()
    forbidden: set[str] = set()
    labels: set[str] = set()
    accounts: list[frozenset[UUID]] = []
    mailboxes: list[frozenset[UUID]] = []
    other_mailboxes: frozenset[UUID] = frozenset()
    threads: list[frozenset[UUID]] = []
    since: list[datetime] = []
    until: list[datetime] = []
    bounds: list[str] = []
    rest: list[Node] = []
    for node in _conditions(tree):
        match node:
            case Keyword(keyword):
                required.add(keyword)
            case Not(Keyword(keyword)):
                forbidden.add(keyword)
            case Labelled(label):
                labels.add(label)
            case InAccount(ids):
                accounts.append(ids)
            case InMailbox(ids):
                mailboxes.append(ids)
            case Not(InMailbox(ids)):
                other_mailboxes |= ids
            case InThread(thread_id):
                threads.append(frozenset([thread_id]))
            case Received(at):
                since.append(at)
            case Not(Received(at)):
                until.append(at)
            case _:
                bound = _at_most(node)
                if bound is not None:
                    bounds.append(bound)
                if any(not isinstance(leaf, Words | Mark) for leaf in leaves(node)):
                    rest.append(node)
    return Plan(
        tree=tree,
        tsquery=" & ".join(bounds) or None,
        required=sorted(required),
        forbidden=sorted(forbidden),
        labels=sorted(labels),
        accounts=_all_of(accounts),
        mailboxes=_all_of(mailboxes),
        other_mailboxes=other_mailboxes,
        threads=_all_of(threads),
        since=max(since, default=None),
        until=min(until, default=None),
        rest=And(tuple(rest)) if rest else None,
        depends_on_places=any(
            isinstance(leaf, Words) and leaf.depends_on_places for leaf in leaves(tree)
        ),
    )


def tsquery_of(leaf: Words | Mark) -> str:
    """What finds these words where the tsvector knows every place."""
    if isinstance(leaf, Mark):
        return quoted(leaf.lexeme)
    weight = WEIGHT[leaf.field] if leaf.field is not None and leaf.field in BY_WEIGHT else ""
    return "(" + " <-> ".join(_lexeme(word, leaf, weight) for word in leaf.words) + ")"


def _all_of(several: list[frozenset[UUID]]) -> frozenset[UUID] | None:
    return frozenset.intersection(*several) if several else None


def _conditions(node: Node) -> list[Node]:
    if isinstance(node, And):
        return [condition for inner in node.nodes for condition in _conditions(inner)]
    return [node]


def _at_most(node: Node) -> str | None:
    """A tsquery that finds every answer and perhaps more; None finds everything."""
    match node:
        case Words():
            return _loosely(node) if node.depends_on_places else tsquery_of(node)
        case Mark():
            return tsquery_of(node)
        case Not(inner):
            return _opposite(_at_least(inner))
        case And(nodes):
            found = [_at_most(inner) for inner in nodes]
            return _joined(" & ", [one for one in found if one is not None])
        case Or(nodes):
            found = [_at_most(inner) for inner in nodes]
            return None if None in found else _joined(" | ", [one for one in found if one])
        case _:
            return None


def _at_least(node: Node) -> str | None:
    """A tsquery that finds nothing but answers, perhaps not all; None finds nothing."""
    match node:
        case Words():
            exact = tsquery_of(node)
            return f"({exact} & !{quoted(PARTIAL)})" if node.depends_on_places else exact
        case Mark():
            return tsquery_of(node)
        case Not(inner):
            return _opposite(_at_most(inner))
        case And(nodes):
            found = [_at_least(inner) for inner in nodes]
            return None if None in found else _joined(" & ", [one for one in found if one])
        case Or(nodes):
            found = [_at_least(inner) for inner in nodes]
            return _joined(" | ", [one for one in found if one is not None])
        case _:
            return None


def _loosely(leaf: Words) -> str:
    anywhere = " & ".join(_lexeme(word, leaf, "") for word in leaf.words)
    return f"({tsquery_of(leaf)} | ({quoted(PARTIAL)} & {anywhere}))"


def _lexeme(word: Word, leaf: Words, weight: str) -> str:
    own = leaf.field is not None and leaf.field not in BY_WEIGHT
    lexeme = field_lexeme(leaf.field, word.text) if own and leaf.field else word.text
    end = ("*" if word.is_prefix else "") + weight
    return quoted(lexeme) + (f":{end}" if end else "")


def _opposite(tsquery: str | None) -> str | None:
    return None if tsquery is None else f"!{tsquery}"


def _joined(by: str, tsqueries: list[str]) -> str | None:
    return f"({by.join(tsqueries)})" if tsqueries else None
