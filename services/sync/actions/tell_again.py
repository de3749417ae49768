"""Tell an account again: a job with a cursor over our rows, straight into the FILL stream."""

from typing import cast

import msgspec
from nats.js.api import Header

from services.sync.domain.kept import content_json
from services.sync.domain.pages import message_pages
from services.sync.store import messages, retellings
from services.sync.store.messages import Whole
from shared.bus import Bus
from shared.contracts.account import AccountRetold
from shared.contracts.envelope import Event, encode, pack
from shared.contracts.mail import PAGE_MESSAGES, Content, MessagesRetold, State, SyncedMessage
from shared.db import Pool


async def tell_again(bus: Bus, pool: Pool) -> bool:
    """Publish the next page of some retelling; False when there is none, or no room for it.

    The page's number is in its id: told twice after a crash, it is one page.
    """
    async with pool.acquire() as connection, connection.transaction():
        retelling = await retellings.next_one(connection)
        if retelling is None:
            return False
        rows = await messages.whole_after(
            connection, retelling.account_id, retelling.told_up_to, PAGE_MESSAGES
        )
        page = retelling.next_page
        if not rows:
            await _publish(
                bus,
                AccountRetold(
                    tenant_id=retelling.tenant_id,
                    account_id=retelling.account_id,
                    listener=retelling.listener,
                    generation=retelling.generation,
                    as_of_revision=retelling.as_of_revision,
                    pages=page,
                ),
                f"{retelling.generation}:{retelling.account_id}:end",
            )
            await retellings.end(connection, retelling)
            return True
        contents = {row.message_id: content_json(row.content, row.body) for row in rows}
        for told in message_pages(
            [_told(row, contents[row.message_id]) for row in rows],
            lambda one: len(contents[one.message_id]),
        ):
            await _publish(
                bus,
                MessagesRetold(
                    tenant_id=retelling.tenant_id,
                    account_id=retelling.account_id,
                    listener=retelling.listener,
                    generation=retelling.generation,
                    page=page,
                    as_of_revision=retelling.as_of_revision,
                    messages=told,
                ),
                f"{retelling.generation}:{retelling.account_id}:{page}",
            )
            page += 1
        await retellings.advance(connection, retelling, page, rows[-1].message_id)
        return True


def _told(row: Whole, content: bytes) -> SyncedMessage:
    return SyncedMessage(
        message_id=row.message_id,
        revision=row.revision,
        arrival=row.arrival,
        content_id=row.content_id,
        content=cast("Content", msgspec.Raw(content)),  # written into the page as it was kept
        state=State(
            mailbox_id=row.mailbox_id,
            keywords=row.keywords,
            labels=row.labels,
            thread_id=row.thread_id,
        ),
    )


async def _publish(bus: Bus, event: Event, name: str) -> None:
    await bus.js.publish(
        event.nats_subject(), pack(encode(event)), timeout=10.0, headers={Header.MSG_ID.value: name}
    )
