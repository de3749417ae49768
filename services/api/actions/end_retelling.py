"""Learn how many pages a retelling has."""

from collections.abc import Sequence

from services.api.store import accounts, retellings
from shared.contracts.account import AccountRetold
from shared.db import Connection, Pool, in_transaction


async def end_retelling(pool: Pool, ends: Sequence[AccountRetold]) -> bool:
    """Note the ends of these retellings; True when one of them is complete."""

    async def work(connection: Connection) -> bool:
        living = await accounts.hold_living(
            connection, [(end.tenant_id, end.account_id) for end in ends]
        )
        complete = False
        for end in sorted(ends, key=lambda end: (end.account_id, end.generation)):
            if (end.tenant_id, end.account_id) in living:
                complete |= await retellings.note_end(
                    connection,
                    tenant_id=end.tenant_id,
                    account_id=end.account_id,
                    generation=end.generation,
                    pages=end.pages,
                    as_of_revision=end.as_of_revision,
                )
        return complete

    return await in_transaction(pool, work)
