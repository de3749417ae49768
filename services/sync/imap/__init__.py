"""The only door to IMAP servers. What leaves it is typed; what goes wrong has a name."""

from services.sync.imap.append import Appended
from services.sync.imap.capability import Capabilities
from services.sync.imap.errors import (
    AuthFailed,
    Bye,
    Disconnected,
    Garbled,
    ImapError,
    Insecure,
    NoSuchMailbox,
    Refused,
    Silent,
    TooLarge,
    Unavailable,
    Unreachable,
    Untrusted,
)
from services.sync.imap.fetch import Fetched, FlagsOf, Head
from services.sync.imap.idle import Woken
from services.sync.imap.list import ListedMailbox
from services.sync.imap.names import MailboxName, decode_name, encode_name
from services.sync.imap.news import Elsewhere, Exists, Expunged, Flood, Marked, News, Vanished
from services.sync.imap.select import Selected
from services.sync.imap.session import Session, connect
from services.sync.imap.status import StatusOf
from services.sync.imap.structure import Structure
from services.sync.imap.wire import Dial, Endpoint, Limits, Timeouts

__all__ = [
    "Appended",
    "AuthFailed",
    "Bye",
    "Capabilities",
    "Dial",
    "Disconnected",
    "Elsewhere",
    "Endpoint",
    "Exists",
    "Expunged",
    "Fetched",
    "FlagsOf",
    "Flood",
    "Garbled",
    "Head",
    "ImapError",
    "Insecure",
    "Limits",
    "ListedMailbox",
    "MailboxName",
    "Marked",
    "News",
    "NoSuchMailbox",
    "Refused",
    "Selected",
    "Session",
    "Silent",
    "StatusOf",
    "Structure",
    "Timeouts",
    "TooLarge",
    "Unavailable",
    "Unreachable",
    "Untrusted",
    "Vanished",
    "Woken",
    "connect",
    "decode_name",
    "encode_name",
]
