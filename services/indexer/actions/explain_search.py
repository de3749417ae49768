"""Say how a query is understood."""

from datetime import datetime

from services.indexer.actions.understanding import problem_of, reader_of, said_in
from services.indexer.domain.explanation import meaning
from services.indexer.domain.given import condition_of
from services.indexer.domain.meaning import node_of
from services.indexer.domain.said import QueryInvalid, terms
from shared.contracts.search import ExplainedTerm, ExplainSearch, Explanation


def explain_search(query: ExplainSearch, now: datetime) -> Explanation:
    """The query as a tree, and of each of its terms what it means to this caller."""
    try:
        said = said_in(query)
        reader = reader_of(query, now)
        return Explanation(
            condition=condition_of(said),
            terms=tuple(
                ExplainedTerm(
                    operator=term.operator or None,
                    value=term.value,
                    position=term.at.position,
                    pointer=term.at.pointer,
                    meaning=meaning(node_of(term, reader), reader),
                )
                for term in terms(said)
            ),
        )
    except QueryInvalid as error:
        return Explanation(problem=problem_of(error))
