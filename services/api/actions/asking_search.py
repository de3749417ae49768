"""What the memory is told of a caller, and its answers. For those who search."""

from typing import TypeVar

from msgspec import Struct

from services.api.domain.refusals import QueryInvalid, SearchUnavailable
from services.api.store import accounts, mailboxes
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller, Problem, Query
from shared.contracts.search import Condition, NamedAccount, NamedMailbox
from shared.db import Pool, tenant_transaction

T = TypeVar("T", bound=Struct)

_SOON_SECONDS = 5


class Names(Struct, frozen=True, kw_only=True):
    """What the caller calls accounts and mailboxes; only what a query asks for is there."""

    accounts: tuple[NamedAccount, ...] = ()
    mailboxes: tuple[NamedMailbox, ...] = ()


async def names_in(pool: Pool, caller: Caller, text: str, condition: Condition | None) -> Names:
    """The names that a query may speak of: most speak of none, and cost nothing."""
    if condition is None and ":" not in text:
        return Names()
    async with tenant_transaction(pool, caller) as connection:
        known = await accounts.all_of(connection, caller.tenant_id)
        boxes = (
            await mailboxes.named(connection, caller.tenant_id)
            if condition is not None or "in:" in text.casefold()
            else {}
        )
    return Names(
        accounts=tuple(
            NamedAccount(account_id=one.account_id, name=one.name, email=one.email) for one in known
        ),
        mailboxes=tuple(boxes.values()),
    )


async def ask(bus: Bus, query: Query, kind: type[T]) -> T:
    """The memory's answer; raises QueryInvalid, SearchUnavailable."""
    try:
        answer = await bus.ask(query, kind)
    except NoAnswer as error:
        raise SearchUnavailable(retry_after_seconds=_SOON_SECONDS) from error
    problem: Problem | None = getattr(answer, "problem", None)
    if problem is None:
        return answer
    if problem.code != QueryInvalid.code:
        raise SearchUnavailable(problem.detail or None, retry_after_seconds=_SOON_SECONDS)
    raise QueryInvalid(
        problem.detail or None,
        position=problem.position,
        pointers=() if problem.pointer is None else (f"/query{problem.pointer}",),
    )
