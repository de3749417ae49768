"""What every IMAP server of the tests is to its callers, whoever wrote it."""

import imaplib
import uuid
from typing import ClassVar, Protocol

from tests.servers.process import LOOPBACK, ServerProcess

DOMAIN = "postbus.test"
PASSWORD = "open-sesame"


class Reachable(Protocol):
    """Where a mail program dials on this machine."""

    imap_port: int


class CannotDo(Exception):
    """This server has no way to do that; the message is the reason to skip."""


class ImapServer(ServerProcess):
    """A mail server that knows users by name and opens to PASSWORD.

    `new_user()` makes a user, `imap(user)` is another mail program of that user, `mailbox()`
    writes a mailbox's name as this server does.
    """

    host: ClassVar[str] = LOOPBACK
    password: ClassVar[str] = PASSWORD
    prefix: ClassVar[str] = ""  # before every mailbox but INBOX
    delimiter: ClassVar[str] = "/"
    # What came just before IDLE is told at its start, not with whatever comes next.
    idles_well: ClassVar[bool] = True
    imap_port: int

    @classmethod
    def require(cls) -> None:
        """Say why this machine cannot run the server, when it cannot."""
        raise NotImplementedError

    def version(self) -> str:
        """The server's name and version, for people."""
        raise NotImplementedError

    def new_user(self, name: str = "user") -> str:
        """A user nobody else in this session is, whose mailboxes are empty."""
        return f"{name}-{uuid.uuid4().hex[:12]}@{DOMAIN}"

    def imap(self, user: str) -> imaplib.IMAP4:
        """A logged-in connection; as a context manager it logs out at the end."""
        connection = imaplib.IMAP4(self.host, self.imap_port, timeout=60)
        connection.login(user, self.password)
        return connection

    def capabilities(self, user: str) -> frozenset[str]:
        """What the server offers this user after login."""
        with self.imap(user) as connection:
            _, answer = connection.capability()
        words = b" ".join(line for line in answer if isinstance(line, bytes))
        return frozenset(words.decode("ascii", "replace").upper().split())

    def mailbox(self, *levels: str) -> str:
        """The full name of a mailbox, top level first."""
        return self.prefix + self.delimiter.join(levels)

    def renumber(self, user: str, mailbox: str) -> None:
        """Give the mailbox another UIDVALIDITY and leave its messages as they are."""
        raise CannotDo("The server cannot be made to change a UIDVALIDITY.")
