"""Connect the mailbox of somebody who came with a link and gave a password."""

from datetime import datetime

from uuid_utils.compat import uuid7

from services.api.actions.by_link import Opened
from services.api.actions.completing import Connected, Way, complete_link
from services.api.actions.connecting import Login, Seals, connect_sender, connect_sync
from shared.db import Pool


async def connect_by_password(
    pool: Pool,
    seals: Seals,
    opened: Opened,
    *,
    email: str,
    imap: Login,
    smtp: Login,
    now: datetime,
) -> Connected:
    """The passwords are sealed and not kept; raises LinkInvalid, QuotaReached."""
    tenant_id = opened.link.tenant_id
    way = Way(
        email=email,
        imap=imap.endpoint,
        smtp=smtp.endpoint,
        oauth_provider=None,
        orders=lambda account: (
            connect_sync(tenant_id, account, imap.password, seals),
            connect_sender(tenant_id, account, smtp.password, seals),
        ),
    )
    return await complete_link(pool, opened, opened.link.account_id or uuid7(), way, now)
