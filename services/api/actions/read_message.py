"""Open a message."""

from uuid import UUID

from msgspec import structs

from services.api.domain.refusals import ContentUnavailable, NotFound
from services.api.store import reading
from services.api.store.reading import ShownMessage
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.mail import ContentAnswer, MessageContent, ReadContent
from shared.db import Pool, tenant_reading

# A message may have tens of megabytes of text: nobody reads them, and no browser shows them well.
SHOWN_CHARACTERS = 4_000_000


async def read_message(
    pool: Pool, bus: Bus, caller: Caller, message_id: UUID
) -> tuple[ShownMessage, MessageContent]:
    """The message and all its words, up to SHOWN_CHARACTERS of each kind.

    Raises NotFound, or ContentUnavailable when sync does not answer.
    """
    async with tenant_reading(pool, caller) as connection:
        message = await reading.by_id(connection, caller.tenant_id, message_id)
    if message is None:
        raise NotFound
    content = await _slice(bus, caller, message_id, text_from=0, html_from=0)
    text, html = content.text, content.html
    while _wanting(text, content.text_characters) or _wanting(html or "", content.html_characters):
        more = await _slice(bus, caller, message_id, text_from=len(text), html_from=len(html or ""))
        if not more.text and not more.html:
            raise ContentUnavailable(retry_after_seconds=5)
        text += more.text
        if more.html:
            html = (html or "") + more.html
    return message, structs.replace(content, text=text, html=html)


def _wanting(have: str, characters: int) -> bool:
    return len(have) < min(characters, SHOWN_CHARACTERS)


async def _slice(
    bus: Bus, caller: Caller, message_id: UUID, *, text_from: int, html_from: int
) -> MessageContent:
    query = ReadContent(
        caller=caller, message_id=message_id, text_from=text_from, html_from=html_from
    )
    try:
        answer = await bus.ask(query, ContentAnswer)
    except NoAnswer as error:
        raise ContentUnavailable(retry_after_seconds=5) from error
    if answer.content is not None:
        return answer.content
    if answer.problem is not None and answer.problem.code == NotFound.code:
        raise NotFound
    raise ContentUnavailable(retry_after_seconds=5)
