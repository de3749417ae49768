"""The bytes of a submission, for whoever files a copy."""

from services.sender import store
from shared.contracts.envelope import Problem
from shared.contracts.submission import ReadSubmissionMime, SubmissionMime
from shared.db import Pool, tenant_transaction


async def read_mime(query: ReadSubmissionMime, request_pool: Pool) -> SubmissionMime:
    """One piece, as it was or will be sent, if the caller may see it and it is still kept."""
    async with tenant_transaction(request_pool, query.caller) as connection:
        piece = await store.mime_piece(
            connection, query.caller.tenant_id, query.submission_id, query.piece
        )
    if piece is None:
        return SubmissionMime(problem=Problem(code="not_found"))
    data, pieces = piece
    return SubmissionMime(data=data, pieces=pieces)
