"""The demo server's SMTP: takes mail from its users and puts it into mailboxes, here only."""

import asyncio
import logging
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pymap.parsing.message import AppendMessage

from infra.dev.demo import DOMAIN, OUTSIDE, DemoAccount
from infra.dev.demo.imap import LARGEST_MESSAGE
from infra.dev.demo.mailboxes import INBOX, StoredMailboxes


class Delivery:
    """Decides on recipients and delivers, as aiosmtpd asks for it."""

    def __init__(self, mailboxes: Mapping[str, StoredMailboxes]) -> None:
        self._mailboxes = mailboxes

    # aiosmtpd finds its hooks by these names.
    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        if self._user(address) is None:
            return "550 5.1.1 There is no such user here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        now = datetime.now(UTC)
        for recipient in dict.fromkeys(envelope.rcpt_tos):
            user = self._user(recipient)
            assert user is not None
            trace = (
                f"Return-Path: <{envelope.mail_from or ''}>\r\n"
                f"Delivered-To: {recipient}\r\n"
                f"Received: from {session.host_name} by {DOMAIN} with ESMTPA\r\n"
                f"\tfor <{recipient}>; {format_datetime(now)}\r\n"
            )
            inbox = await self._mailboxes[user].get_mailbox(INBOX)
            message = AppendMessage(trace.encode() + envelope.content, now)
            await inbox.append(message, recent=True)
        return "250 2.0.0 Delivered"

    def _user(self, address: str) -> str | None:
        """Whose mailbox the address means; every other domain is the world outside."""
        local, _, domain = address.rpartition("@")
        if domain.lower() != DOMAIN:
            return OUTSIDE.address
        user = f"{local.partition('+')[0]}@{domain}".lower()
        return user if user in self._mailboxes else None


async def serve_submission(
    host: str,
    port: int,
    accounts: tuple[DemoAccount, ...],
    mailboxes: Mapping[str, StoredMailboxes],
) -> asyncio.Server:
    """Listen for the accounts' clients that send."""
    passwords = {each.address: each.password for each in accounts}
    delivery = Delivery(mailboxes)
    loop = asyncio.get_running_loop()

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        name = data.login.decode("utf-8", "replace").lower()
        password = data.password.decode("utf-8", "replace")
        # Not handled: aiosmtpd answers 535 itself.
        return AuthResult(success=passwords.get(name) == password, handled=False)

    def connected() -> SMTP:
        with warnings.catch_warnings():
            # aiosmtpd warns of AUTH without TLS for each connection: this is a demo on loopback.
            warnings.simplefilter("ignore")
            return SMTP(
                delivery,
                hostname=DOMAIN,
                ident="Postbus demo",
                data_size_limit=LARGEST_MESSAGE,
                enable_SMTPUTF8=True,
                auth_required=True,
                auth_require_tls=False,
                authenticator=authenticate,
                loop=loop,
            )

    logging.getLogger("mail.log").setLevel(logging.ERROR)
    return await loop.create_server(connected, host=host, port=port)
