"""Another mail program of the same person: it changes the mailbox, and says what is in it."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.corpora import message_id
from tests.servers.dovecot import quote
from tests.servers.imap_server import ImapServer
from tests.servers.process import ServerFailed

_LISTED = re.compile(rb'\(([^)]*)\) (?:NIL|"(?:\\?.)") (.+)', re.DOTALL)


@dataclass(frozen=True)
class Box:
    """A mailbox as the server lists it."""

    path: str
    attributes: frozenset[str]  # in lower case

    @property
    def selectable(self) -> bool:
        return not self.attributes & {"\\noselect", "\\nonexistent"}


class OtherClient:
    """A logged-in mail program; every method is over when the server has done it."""

    def __init__(self, server: ImapServer, user: str) -> None:
        self._imap = server.imap(user)
        # imaplib knows those of the greeting; after login there may be more.
        _, answer = self._imap.capability()
        self._capabilities = frozenset(b" ".join(answer).decode().upper().split())

    def close(self) -> None:
        self._imap.logout()

    # -- what it changes ---------------------------------------------------------------------

    def create(self, mailbox: str) -> None:
        _ok(self._imap.create(quote(mailbox)))
        _ok(self._imap.subscribe(quote(mailbox)))

    def rename(self, old: str, new: str) -> None:
        _ok(self._imap.rename(quote(old), quote(new)))

    def delete(self, mailbox: str) -> None:
        _ok(self._imap.delete(quote(mailbox)))

    def append(self, mailbox: str, *raws: bytes, flags: str = "") -> None:
        # imaplib's stubs know no absent date; a server then takes its own.
        now: Any = None
        for raw in raws:
            _ok(self._imap.append(quote(mailbox), f"({flags})", now, raw))

    def mark(self, mailbox: str, message: str, flags: str, *, how: str = "+FLAGS") -> None:
        uid = self._open(mailbox, message)
        _ok(self._imap.uid("STORE", uid, how, f"({flags})"))
        self._shut()

    def expunge(self, mailbox: str, message: str) -> None:
        uid = self._open(mailbox, message)
        _ok(self._imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)"))
        _ok(self._imap.expunge())
        self._shut()

    def copy(self, mailbox: str, message: str, to: str) -> None:
        uid = self._open(mailbox, message)
        _ok(self._imap.uid("COPY", uid, quote(to)))
        self._shut()

    def move(self, mailbox: str, message: str, to: str) -> None:
        """By MOVE (RFC 6851), or as programs did before it."""
        uid = self._open(mailbox, message)
        if "MOVE" in self._capabilities:
            _ok(self._imap.uid("MOVE", uid, quote(to)))
        else:
            _ok(self._imap.uid("COPY", uid, quote(to)))
            _ok(self._imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)"))
            _ok(self._imap.expunge())
        self._shut()

    # -- what it sees ------------------------------------------------------------------------

    def boxes(self) -> list[Box]:
        found: dict[str, Box] = {}
        for attributes, name in self._listed():
            path = unquote(name)
            found[path] = Box(path, frozenset(attributes.lower().split()))
        return list(found.values())

    def messages(self, mailbox: str) -> dict[str, frozenset[str]]:
        """The flags of every message by Message-ID; the tests give each message one of its own."""
        _ok(self._imap.select(quote(mailbox), readonly=True))
        found = {message: flags - {"\\Recent"} for _, message, flags in self._fetched("1:*")}
        self._shut()
        return found

    def everything(self) -> dict[str, dict[str, frozenset[str]]]:
        """The mailboxes that can be opened, with their messages."""
        return {box.path: self.messages(box.path) for box in self.boxes() if box.selectable}

    def keeps_keywords(self) -> bool:
        """Whether INBOX takes flags of people's own (PERMANENTFLAGS \\*, RFC 9051 §7.1)."""
        _ok(self._imap.select("INBOX"))
        _, answer = self._imap.response("PERMANENTFLAGS")
        self._shut()
        return any(b"\\*" in line for line in answer if line)

    def uidvalidity(self, mailbox: str) -> int:
        (answer,) = _ok(self._imap.status(quote(mailbox), "(UIDVALIDITY)"))
        found = re.search(rb"UIDVALIDITY (\d+)", answer)
        assert found is not None
        return int(found[1])

    def email_ids(self, mailbox: str) -> frozenset[bytes]:
        """Which messages these are, whatever mailbox they are in (RFC 8474); nothing where the
        server does not tell."""
        if "OBJECTID" not in self._capabilities:
            return frozenset()
        _ok(self._imap.select(quote(mailbox), readonly=True))
        answers = _ok(self._imap.uid("FETCH", "1:*", "(EMAILID)"))
        self._shut()
        found = [re.search(rb"EMAILID \(([^)]+)\)", answer) for answer in answers if answer]
        return frozenset(each[1] for each in found if each)

    def size(self, mailbox: str, message: str) -> int:
        """RFC822.SIZE of a message."""
        uid = self._open(mailbox, message)
        (answer,) = _ok(self._imap.uid("FETCH", uid, "(RFC822.SIZE)"))
        self._shut()
        found = re.search(rb"RFC822\.SIZE (\d+)", answer)
        assert found is not None
        return int(found[1])

    # -- how ---------------------------------------------------------------------------------

    def _open(self, mailbox: str, message: str) -> str:
        """The UID of the message with this Message-ID, in a mailbox that is now open."""
        _ok(self._imap.select(quote(mailbox)))
        for uid, found, _ in self._fetched("1:*"):
            if found == message:
                return str(uid)
        raise ServerFailed(f"{message} is not in {mailbox}")

    def _shut(self) -> None:
        # CLOSE would expunge; a mailbox that is not there is the way out every server knows.
        if "UNSELECT" in self._capabilities:
            _ok(self._imap.unselect())
        else:
            self._imap.select('"no such mailbox"', readonly=True)

    def _listed(self) -> Iterator[tuple[str, bytes]]:
        for answer in _ok(self._imap.list()):
            literal = answer[1] if isinstance(answer, tuple) else None
            line = answer[0] if isinstance(answer, tuple) else answer
            listed = _LISTED.match(line)
            if listed is None:
                assert line in {b"", None}, line
                continue
            name = listed[2] if literal is None else literal
            if literal is None and name.startswith(b'"'):
                name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
            yield listed[1].decode(), name

    def _fetched(self, uids: str) -> Iterator[tuple[int, str, frozenset[str]]]:
        items = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
        answers = _ok(self._imap.uid("FETCH", uids, items))
        for at, answer in enumerate(answers):
            if not isinstance(answer, tuple):
                continue
            # What a message has may stand before its literal and after it.
            line = answer[0] + (answers[at + 1] if at + 1 < len(answers) else b"")
            uid, flags = re.search(rb"UID (\d+)", line), re.search(rb"FLAGS \(([^)]*)\)", line)
            assert uid is not None, line
            assert flags is not None, line
            found = (message_id(answer[1]) or "").strip("<>")
            yield int(uid[1]), found, frozenset(flags[1].decode().split())


def unquote(name: bytes) -> str:
    """A mailbox's name as people read it, from modified UTF-7 (RFC 3501 §5.1.3)."""

    def decode(run: re.Match[str]) -> str:
        if not run[1]:
            return "&"
        coded = run[1].replace(",", "/")
        return base64.b64decode(coded + "=" * (-len(coded) % 4)).decode("utf-16-be")

    return re.sub(r"&([A-Za-z0-9+,]*)-", decode, name.decode("ascii"))


def _ok(answer: tuple[str, list[Any]]) -> list[Any]:
    status, data = answer
    if status != "OK":
        raise ServerFailed(f"{status} {data}")
    return data
