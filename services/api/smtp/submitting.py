"""Hand a message of our own to the server that the operator names (RFC 6409)."""

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

import aiosmtplib
from pydantic import SecretStr

_SECONDS = 30.0


class NotSubmitted(Exception):
    """The server did not take the message, or perhaps did and could not say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemServer:
    """Where system mail is handed in, and as whom. The operator's choice: no user names it."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    username: str
    password: SecretStr
    sender: str


async def submit(message: EmailMessage, server: SystemServer) -> None:
    """Hand it in; raises NotSubmitted, upon which it may be tried again."""
    try:
        await aiosmtplib.send(
            message,
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password.get_secret_value() or None,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            timeout=_SECONDS,
        )
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise NotSubmitted(str(error)[:500]) from error
