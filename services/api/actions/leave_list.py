"""Leave a mailing list by one request, as its mail says that one can (RFC 8058)."""

import asyncio

import structlog

from services.api.domain.refusals import ListNotLeft, NoOneClick
from services.api.domain.web_address import WebAddress
from services.api.web.getting import Document, NotGot, get
from shared.contracts.content import MailingList
from shared.dial import Policy

log = structlog.get_logger()

_MOST_BYTES = 100_000  # of an answer that nobody reads
_ASKED = Document(
    media_type="application/x-www-form-urlencoded", content=b"List-Unsubscribe=One-Click"
)


async def leave_list(
    told: MailingList | None, *, policy: Policy, dial_seconds: float, seconds: float
) -> None:
    """Ask the list once; it is left when this returns.

    Raises NoOneClick, or ListNotLeft: where the list may not redirect (RFC 8058 §3.1), what leads
    elsewhere has not been done.
    """
    address = WebAddress.read(told.one_click) if told is not None and told.one_click else None
    if address is None or not address.tls:
        raise NoOneClick
    try:
        async with asyncio.timeout(seconds):
            got = await get(
                address,
                agent="Postbus (unsubscribe)",
                accept="*/*",
                policy=policy,
                dial_seconds=dial_seconds,
                most_bytes=_MOST_BYTES,
                posting=_ASKED,
            )
    except (NotGot, TimeoutError) as error:
        log.info("list not left", error=repr(error))
        raise ListNotLeft from error
    if not 200 <= got.status < 300:
        log.info("list not left", status=got.status)
        raise ListNotLeft
