"""What is on the server and what is kept of it."""

from services.sync.store import audits
from shared.contracts.audit import ProofsAnswer, ReadProofs
from shared.db import Pool, tenant_transaction


async def read_proofs(query: ReadProofs, request_pool: Pool) -> ProofsAnswer:
    """Each mailbox of an account that the caller may see."""
    async with tenant_transaction(request_pool, query.caller) as connection:
        found = await audits.of_account(connection, query.caller.tenant_id, query.account_id)
    return ProofsAnswer(mailboxes=tuple(found))
