"""A question as its asker means it. Read by those who search and by those who explain."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.indexer.domain.given import said_by
from services.indexer.domain.meaning import Reader
from services.indexer.domain.query import parse
from services.indexer.domain.said import Place, QueryInvalid, Said
from shared.contracts.envelope import Problem
from shared.contracts.search import Searching


def said_in(query: Searching) -> Said:
    """What is asked, from text or from a tree; raises QueryInvalid."""
    return parse(query.text) if query.condition is None else said_by(query.condition)


def reader_of(query: Searching, now: datetime) -> Reader:
    """Who asks; raises QueryInvalid for a time zone that is none."""
    try:
        zone = ZoneInfo(query.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        raise QueryInvalid(f"There is no time zone “{query.time_zone[:60]}”.", Place()) from None
    visible = set(query.caller.account_ids)
    return Reader(
        now=now,
        zone=zone,
        accounts=[one for one in query.accounts if one.account_id in visible],
        mailboxes=[one for one in query.mailboxes if one.account_id in visible],
    )


def problem_of(error: QueryInvalid) -> Problem:
    """What is wrong, for the asker."""
    return Problem(
        code="query_invalid", detail=error.detail, position=error.position, pointer=error.pointer
    )
