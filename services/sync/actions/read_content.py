"""All a message says, from our copy of it."""

from services.sync.domain.kept import unpack_body
from services.sync.store import messages
from shared.contracts.envelope import Problem
from shared.contracts.mail import ContentAnswer, MessageContent, ReadContent
from shared.db import Pool, tenant_transaction


async def read_content(query: ReadContent, request_pool: Pool) -> ContentAnswer:
    """A slice of the message's texts, if the caller may see it."""
    async with tenant_transaction(request_pool, query.caller) as connection:
        packed = await messages.body(connection, query.caller.tenant_id, query.message_id)
    if packed is None:
        return ContentAnswer(problem=Problem(code="not_found"))
    body = unpack_body(packed)
    html = body.html
    size = ReadContent.SLICE_CHARACTERS
    first = query.text_from == 0 and query.html_from == 0
    return ContentAnswer(
        content=MessageContent(
            text=body.text[query.text_from : query.text_from + size],
            html=None if html is None else html[query.html_from : query.html_from + size],
            headers=body.headers if first else (),
            text_characters=len(body.text),
            html_characters=len(html or ""),
            defects=body.defects,
        )
    )
