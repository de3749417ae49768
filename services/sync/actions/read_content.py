"""All a message says, from our copy of it."""

from msgspec import structs

from services.sync.domain.kept import Body, unpack_body
from services.sync.domain.letterhead import letterhead_of
from services.sync.domain.quoting import own_text
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
    content = _slice(body, query)
    if query.text_from == 0 and query.html_from == 0:
        content = _beginning(body, content)
    return ContentAnswer(content=content)


def _slice(body: Body, query: ReadContent) -> MessageContent:
    size = ReadContent.SLICE_CHARACTERS
    html = body.html
    return MessageContent(
        text=body.text[query.text_from : query.text_from + size],
        html=None if html is None else html[query.html_from : query.html_from + size],
        headers=(),
        text_characters=len(body.text),
        html_characters=len(html or ""),
        defects=body.defects,
    )


def _beginning(body: Body, content: MessageContent) -> MessageContent:
    """With what is said once."""
    letterhead = letterhead_of(body.fields)
    return structs.replace(
        content,
        headers=body.headers,
        own_text=own_text(body.text),
        stamped_at=letterhead.stamped_at,
        mailing_list=letterhead.mailing_list,
        authentication=letterhead.authentication,
        autocrypt=letterhead.autocrypt,
    )
