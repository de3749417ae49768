"""Hand a message to sender."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

from msgspec import structs

from services.api.actions.submitting import Outgoing, Submitted, repeated, submit
from services.api.domain.refusals import Refused
from services.api.store import log
from services.api.store.submissions import ShownSubmission
from shared.contracts.envelope import Caller
from shared.db import CallersGrouping, Connection, Pool, actor_of, tenant_transaction

#: Where messages are handed over: those of one person that come together go in one transaction.
#: Of each its submission, and how far logs grew.
Sending: TypeAlias = CallersGrouping[Outgoing, tuple[Submitted, Mapping[UUID, int]]]


async def find_repeated(pool: Pool, caller: Caller, outgoing: Outgoing) -> ShownSubmission | None:
    """What the same request made before; raises KeyReused."""
    if outgoing.idempotency_key is None:
        return None
    async with tenant_transaction(pool, caller) as connection:
        return await repeated(connection, caller, outgoing)


async def send_message(
    sending: Sending, caller: Caller, outgoing: Outgoing
) -> tuple[ShownSubmission, Mapping[UUID, int]]:
    """The submission, on its way; raises what `submit` refuses with, and TooLong."""
    submitted, grew = await sending.do(
        caller, structs.replace(outgoing, actor=actor_of(caller) or None)
    )
    if isinstance(submitted, Refused):
        raise submitted
    return submitted, grew


def sending_in(pool: Pool) -> Sending:
    """Messages that one person sends at the same time take one place in the log, and one commit."""
    return CallersGrouping(pool, _send)


async def _send(
    connection: Connection, caller: Caller, outgoing: Sequence[Outgoing]
) -> list[tuple[Submitted, Mapping[UUID, int]]]:
    submitted, entries = await submit(connection, caller, outgoing, datetime.now(UTC))
    grew = await log.append(connection, entries)
    # One of them says so for all; who is refused says nothing.
    says = next((one for one in submitted if not isinstance(one, Refused)), None)
    return [(one, grew if one is says else {}) for one in submitted]
