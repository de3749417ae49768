"""What Postbus itself writes to people: short, with one link, and never with anybody's mail."""

from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Letter(StrEnum):
    """Why it writes."""

    VERIFY = "verify"
    RESET = "reset"
    INVITE = "invite"
    NEW_PLACE = "new_place"


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
    Letter.NEW_PLACE: _Words(
        "settings",
        "A new sign-in to Postbus",
        "Somebody has signed in to Postbus as you, from where you have not signed in before:\n\n"
        "  when: {at}\n  address: {address}\n  with: {client}\n\n"
        "If it was you, there is nothing to do. If it was not, change your password now: that\n"
        "ends every other session. Open:\n\n{link}\n",
    ),
}


def has_secret(letter: Letter) -> bool:
    """Whether its link does something by itself, for whoever holds it."""
    return letter is not Letter.NEW_PLACE


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
    details: Mapping[str, str] = _NOTHING,
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
    said = {name: " ".join(value.split())[:200] for name, value in details.items()}
    one_line = " ".join(tenant.split())[:200]
    message.set_content(words.text.format_map({**said, "link": link, "tenant": one_line}))
    return message
