"""Remove an upload that nothing needs."""

from uuid import UUID

from services.api.domain.refusals import NotFound, UploadInUse
from services.api.store import uploads
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def remove_upload(pool: Pool, caller: Caller, person_id: UUID, upload_id: UUID) -> None:
    """Forget it; raises NotFound, or UploadInUse while a draft or a submission uses it."""
    async with tenant_transaction(pool, caller) as connection:
        if await uploads.remove(connection, caller.tenant_id, person_id, upload_id):
            return
        if await uploads.by_id(connection, caller.tenant_id, person_id, upload_id) is None:
            raise NotFound
        raise UploadInUse
