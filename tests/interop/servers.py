"""The servers of the stories, by the names the table has."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.servers.courier import Courier
from tests.servers.cyrus import Cyrus
from tests.servers.dovecot import Dovecot
from tests.servers.hoodiecrow import Hoodiecrow
from tests.servers.imap_server import ImapServer
from tests.servers.pymap import Pymap

_PLAIN = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ NAMESPACE CHILDREN UNSELECT"
_CONDSTORE = f"{_PLAIN} SPECIAL-USE LIST-EXTENDED LIST-STATUS ESEARCH UIDPLUS MOVE NOTIFY CONDSTORE"


@dataclass(frozen=True)
class Candidate:
    """A server as the stories meet it."""

    name: str
    kind: type[ImapServer]
    open: Callable[[Path], ImapServer]
    installed_apart: bool  # by ./just interop, which runs its stories too


CANDIDATES = {
    candidate.name: candidate
    for candidate in (
        Candidate("dovecot", Dovecot, Dovecot, False),
        Candidate(
            "dovecot without QRESYNC",
            Dovecot,
            lambda directory: Dovecot(directory, capability=_CONDSTORE),
            False,
        ),
        Candidate(
            "dovecot with hardly an extension",
            Dovecot,
            lambda directory: Dovecot(directory, storage="maildir", capability=_PLAIN),
            False,
        ),
        Candidate("pymap", Pymap, Pymap, False),
        Candidate("cyrus", Cyrus, Cyrus, True),
        Candidate("courier", Courier, Courier, True),
        Candidate("hoodiecrow", Hoodiecrow, Hoodiecrow, True),
    )
}
GMAIL = "hoodiecrow"
EVERYWHERE = tuple(name for name in CANDIDATES if name != GMAIL)
