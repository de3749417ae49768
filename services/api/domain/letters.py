"""What Postbus itself writes to people: short, with one link, and never with anybody's mail."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum
from typing import NamedTuple


class Letter(StrEnum):
    """Why it writes."""

    VERIFY = "verify"
    RESET = "reset"
    INVITE = "invite"


class _Words(NamedTuple):
    page: str  # of the webmail
    subject: str
    text: str


_WORDS = {
    Letter.VERIFY: _Words(
        "verify",
        "Is this your address?",
        "Somebody, you perhaps, has registered at Postbus with this address. If it was you, open\n"
        "this link:\n\n{link}\n\nIf it was not, there is nothing to do.\n",
    ),
    Letter.RESET: _Words(
        "reset",
        "A new password for Postbus",
        "To choose a new password for Postbus, open this link within the next hour:\n\n{link}\n\n"
        "If you did not ask for it, there is nothing to do: your password stays as it is.\n",
    ),
    Letter.INVITE: _Words(
        "invitation",
        "You are invited to Postbus",
        "You are invited to join “{tenant}” at Postbus. To accept, open this link:\n\n{link}\n\n"
        "If you expect no invitation, there is nothing to do.\n",
    ),
}


def page_of(letter: Letter) -> str:
    """The page of the webmail that its link leads to."""
    return _WORDS[letter].page


def written(
    letter: Letter,
    *,
    sender: str,
    to: str,
    link: str,
    tenant: str,
    message_id: str,
    now: datetime,
) -> EmailMessage:
    """The message. Nothing answers it, and no vacation notice should (RFC 3834 §5)."""
    words = _WORDS[letter]
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Postbus", addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = words.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    one_line = " ".join(tenant.split())[:200]
    message.set_content(words.text.format(link=link, tenant=one_line))
    return message
