"""Hand a piece of an upload to who composes the message it belongs to."""

from services.api.store import uploads
from shared.contracts.submission import ReadUpload, UploadPiece
from shared.db import Pool, tenant_transaction


async def answer_upload(query: ReadUpload, pool: Pool) -> UploadPiece:
    """The piece; nothing behind the last one."""
    caller = query.caller
    async with tenant_transaction(pool, caller) as connection:
        data = await uploads.piece(connection, caller.tenant_id, query.upload_id, query.piece)
    return UploadPiece(data=data)
