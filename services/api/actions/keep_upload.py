"""Keep a file that somebody uploads, while it comes.

Each piece is a transaction of its own: a client may be slow, and a transaction must not be. Until
it is complete nobody sees it; one that never is goes with the unused ones.
"""

from collections.abc import AsyncGenerator
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.domain.file_types import HEAD_BYTES, type_of
from services.api.domain.refusals import NotFound, UploadsFull
from services.api.store import uploads
from services.api.store.quotas import Counted, refuse_beyond
from services.api.store.uploads import PIECE_BYTES, Upload
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def keep_upload(
    pool: Pool,
    caller: Caller,
    person_id: UUID,
    *,
    name: str,
    declared_type: str,
    content: AsyncGenerator[bytes],
    most_unused_bytes: int,
) -> Upload:
    """The upload, once it is whole; raises UploadsFull, QuotaReached, and what `content` raises."""
    upload_id = uuid7()
    async with tenant_transaction(pool, caller) as connection:
        await refuse_beyond(connection, caller.tenant_id, Counted.STORAGE)
        kept = await uploads.unused_bytes(connection, caller.tenant_id, person_id)
        if kept >= most_unused_bytes:
            raise UploadsFull
        await uploads.begin(connection, caller.tenant_id, person_id, upload_id, name)
    whole = False
    try:
        head = b""
        count = 0
        async for data in _pieces(content):
            if count == 0:
                head = data[:HEAD_BYTES]
            async with tenant_transaction(pool, caller) as connection:
                await uploads.put_piece(connection, caller.tenant_id, upload_id, count, data)
            count += 1
        async with tenant_transaction(pool, caller) as connection:
            upload = await uploads.complete(
                connection, caller.tenant_id, upload_id, type_of(head, declared_type, name)
            )
        if upload is None:
            raise NotFound  # it took longer than anything is kept
        whole = True
        return upload
    finally:
        if not whole:
            async with tenant_transaction(pool, caller) as connection:
                await uploads.abandon(connection, caller.tenant_id, upload_id)


async def _pieces(content: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same bytes, in pieces of one size but for the last."""
    held = bytearray()
    async for data in content:
        held += data
        while len(held) >= PIECE_BYTES:
            yield bytes(held[:PIECE_BYTES])
            del held[:PIECE_BYTES]
    if held:
        yield bytes(held)
