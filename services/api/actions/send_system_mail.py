"""Send what Postbus itself has to say to somebody."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from services.api.domain.letters import Letter, has_secret, page_of, written
from services.api.domain.tokens import KEY_BYTES, mailed_secret, secret_hash
from services.api.smtp.submitting import NotSubmitted, SystemServer, submit
from services.api.store import system_mail
from shared.db import Pool

_AGAIN = timedelta(minutes=1)
_GIVE_UP = timedelta(days=1)
#: How long what a link carries is good; an invitation says so itself.
_LIVES = {Letter.VERIFY: timedelta(days=7), Letter.RESET: timedelta(hours=1)}

log = structlog.get_logger()


async def send_system_mail(
    pool: Pool, server: SystemServer, link: Callable[[str, str], str]
) -> bool:
    """Send one message that is due; False when none is.

    Its secret is made now, and kept as a hash. One that is sent twice, because nobody could say
    whether the server had taken it, does no harm: each link is good.
    """
    now = datetime.now(UTC)
    secret = mailed_secret(secrets.token_bytes(KEY_BYTES))
    async with pool.acquire() as connection, connection.transaction():
        mail = await system_mail.take(connection, now, _AGAIN)
        if mail is None:
            return False
        kind = Letter(mail.kind)
        if has_secret(kind):
            lives = _LIVES.get(kind, timedelta())
            await system_mail.add_secret(connection, mail, secret_hash(secret), now + lives)
    message = written(
        kind,
        sender=server.sender,
        to=mail.email,
        link=link(page_of(kind), secret if has_secret(kind) else ""),
        tenant=mail.tenant_name,
        message_id=f"<{mail.mail_id}.{mail.attempts}@{server.sender.rpartition('@')[2]}>",
        now=now,
        details=mail.details,
    )
    try:
        await submit(message, server)
    except NotSubmitted as error:
        late = now - mail.created_at > _GIVE_UP
        log.warning("system mail not sent", kind=mail.kind, error=str(error), given_up=late)
        if not late:
            return True
    async with pool.acquire() as connection:
        await system_mail.done(connection, mail.mail_id)
    return True


async def forget_secrets(pool: Pool) -> None:
    """Links that are good no more."""
    async with pool.acquire() as connection:
        await system_mail.forget_secrets(connection, datetime.now(UTC))
