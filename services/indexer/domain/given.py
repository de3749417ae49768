"""A query given as JSON, which says the same as a line of text does."""

from services.indexer.domain.meaning import OPERATORS
from services.indexer.domain.query import MAX_CHARACTERS, MAX_DEPTH
from services.indexer.domain.said import Either, Every, Opposite, Place, Said, Term, refuse
from shared.contracts.search import Condition

MAX_TERMS = 200


def said_by(condition: Condition) -> Said:
    """What a tree says; raises QueryInvalid."""
    return _Reading().said(condition, "", 0)


def condition_of(said: Said) -> Condition:
    """The tree that says this."""
    match said:
        case Term():
            return Condition(
                operator=said.operator or None, value=said.value, phrase=said.is_phrase
            )
        case Opposite(inner):
            return Condition(not_=condition_of(inner))
        case Every(several):
            return Condition(all=tuple(map(condition_of, several)))
        case Either(several):
            return Condition(any=tuple(map(condition_of, several)))


class _Reading:
    def __init__(self) -> None:
        self._terms = 0

    def said(self, condition: Condition, pointer: str, depth: int) -> Said:
        if depth > MAX_DEPTH:
            refuse("This is nested too deeply.", Place(pointer=pointer))
        given = [
            name for name in ("all", "any", "not_", "value") if getattr(condition, name) is not None
        ]
        if len(given) != 1:
            refuse("One of all, any, not and value is needed.", Place(pointer=pointer))
        if condition.value is not None:
            return self._term(condition, condition.value, pointer)
        if condition.operator is not None:
            refuse("An operator needs a value.", Place(pointer=f"{pointer}/operator"))
        if condition.not_ is not None:
            return Opposite(self.said(condition.not_, f"{pointer}/not", depth + 1))
        kind, name = (Every, "all") if condition.all is not None else (Either, "any")
        several = condition.all if condition.all is not None else condition.any
        if not several:
            refuse("At least one condition is needed.", Place(pointer=f"{pointer}/{name}"))
        return kind(
            tuple(
                self.said(inner, f"{pointer}/{name}/{number}", depth + 1)
                for number, inner in enumerate(several)
            )
        )

    def _term(self, condition: Condition, value: str, pointer: str) -> Term:
        self._terms += 1
        if self._terms > MAX_TERMS:
            refuse(f"A query has at most {MAX_TERMS} terms.", Place(pointer=pointer))
        value_at = Place(pointer=f"{pointer}/value")
        if len(value) > MAX_CHARACTERS:
            refuse(f"A value has at most {MAX_CHARACTERS} characters.", value_at)
        operator = (condition.operator or "").casefold()
        if operator and operator not in OPERATORS:
            refuse(f"There is no operator “{operator[:40]}”.", Place(pointer=f"{pointer}/operator"))
        return Term(
            operator=operator,
            value=value.replace("\0", " "),
            is_phrase=condition.phrase,
            at=Place(pointer=pointer),
            value_at=value_at,
        )
