"""Read an upload back, piece by piece."""

from collections.abc import AsyncGenerator
from uuid import UUID

from services.api.domain.refusals import NotFound
from services.api.store import uploads
from services.api.store.uploads import Upload
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def find_upload(pool: Pool, caller: Caller, person_id: UUID, upload_id: UUID) -> Upload:
    """This person's upload; raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        upload = await uploads.by_id(connection, caller.tenant_id, person_id, upload_id)
    if upload is None:
        raise NotFound
    return upload


async def read_upload(pool: Pool, caller: Caller, upload_id: UUID) -> AsyncGenerator[bytes]:
    """What is in it, each piece in a transaction of its own: who reads may be slow."""
    number = 0
    while True:
        async with tenant_transaction(pool, caller) as connection:
            data = await uploads.piece(connection, caller.tenant_id, upload_id, number)
        if data is None:
            return
        yield data
        number += 1
