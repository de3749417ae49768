"""Whom a tenant sends nothing to."""

from collections.abc import Sequence

from services.api.domain.refusals import SendingUnavailable
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.submission import ListSuppressions, Suppression, SuppressionsAnswer


async def list_suppressions(
    bus: Bus, caller: Caller, email: str | None, after: str | None, limit: int
) -> Sequence[Suppression]:
    """Some of the list, as sender has it. Raises SendingUnavailable."""
    query = ListSuppressions(caller=caller, email=email, after=after, limit=limit)
    try:
        return (await bus.ask(query, SuppressionsAnswer)).suppressions
    except NoAnswer as error:
        raise SendingUnavailable(retry_after_seconds=2) from error
