"""A second client of the same mailboxes: what it does is drawn from a seed.

What is true afterwards is what the server says, so that an act that was cut off in the middle (and
may have happened or not) needs no guess.
"""

import contextlib
import imaplib
import random
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.servers.dovecot import Dovecot, quote
from tests.servers.process import ServerFailed

FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "$Later", "Work")
NAMES = ("Alpha", "Beta", "Zoo", "Zoo/Apes", "Zoo/Apes/Small", "Zürich & Umland", 'So "called"')
FIXED = ("INBOX", "Archive", "Trash")
#: How often each act is drawn, by the name of its method.
WEIGHTS = {
    "append": 22,
    "mark": 16,
    "move": 16,
    "copy": 6,
    "move_by_hand": 4,
    "expunge": 8,
    "create": 4,
    "delete": 3,
    "rename": 6,
    "swap": 2,
    "renumber": 4,
    "rebuild": 3,
    "append_again": 3,
}
_CUT_OFF = (imaplib.IMAP4.abort, OSError, ServerFailed, subprocess.TimeoutExpired)
_BIG_BYTES = 400_000


@dataclass(frozen=True)
class Residence:
    """One UID in one mailbox, as the server tells it."""

    path: str
    uidvalidity: int
    uid: int
    token: str  # what the message is: its Subject, equal for its copies
    flags: frozenset[str]

    @property
    def number(self) -> tuple[int, int]:
        """By RFC 9051 §2.3.1.1 the same message for ever; a renamed mailbox keeps it."""
        return (self.uidvalidity, self.uid)


Truth: TypeAlias = dict[str, dict[int, Residence]]  # by path, by UID


class Life:
    """Somebody at work in their mailboxes, by chance."""

    def __init__(self, dovecot: Dovecot, user: str, chance: random.Random) -> None:
        self.dovecot = dovecot
        self.user = user
        self.removed: set[str] = set()  # messages of which one went, since somebody asked
        self._copied: dict[str, float] = {}  # when a message was last copied
        self._chance = chance
        self._count = 0
        self._imap: imaplib.IMAP4 | None = None
        self._raws: dict[str, bytes] = {}
        self._about = ""  # what is being done, for when it is cut off

    def begin(self) -> None:
        """Some mail that was there before us."""
        for path in FIXED + NAMES[:3]:
            self.dovecot.append(
                self.user, path, [self._letter() for _ in range(self._chance.randrange(3, 12))]
            )

    def act(self) -> str:
        """Do something; what it was."""
        names, weights = list(WEIGHTS), list(WEIGHTS.values())
        name = self._chance.choices(names, weights)[0]
        acting: Callable[[], str] = getattr(self, f"_{name}")
        self._about = ""
        try:
            return f"{self.user[:8]}: {name} {acting()}"
        except _CUT_OFF as error:
            self._close()
            return f"{self.user[:8]}: {name} {self._about} cut off ({error})"
        except imaplib.IMAP4.error as error:
            return f"{self.user[:8]}: {name} {self._about} refused ({error})"

    def truth(self) -> Truth:
        """What the server has."""
        return truth_of(self.dovecot, self.user)

    def copied_since(self, moment: float) -> set[str]:
        """Messages that were copied since this moment (of time.monotonic)."""
        return {token for token, at in self._copied.items() if at >= moment}

    def end(self) -> None:
        self._close()

    # -- acts --------------------------------------------------------------------------------

    def _append(self) -> str:
        path = self._mailbox()
        letters = [self._letter() for _ in range(self._chance.choice((1, 1, 1, 2, 5)))]
        for raw in letters:
            self._put(path, raw)
        return f"{len(letters)} to {path} (up to m{self._count})"

    def _append_again(self) -> str:
        """The same message once more, with the same Message-ID, as importers do."""
        if not self._raws:
            return "nothing"
        token = self._chance.choice(list(self._raws))
        path = self._mailbox()
        self._note_copied({token})
        self._put(path, self._raws[token])
        return f"{token} to {path}"

    def _mark(self) -> str:
        path, uids = self._some()
        if not uids:
            return f"nothing in {path}"
        how = self._chance.choice(("+FLAGS", "-FLAGS", "FLAGS"))
        flags = self._chance.sample(FLAGS, self._chance.randrange(1, 3))
        _ok(self._connection.uid("STORE", _set(uids), how, f"({' '.join(flags)})"))
        return f"{path} {_set(uids)} {how} {' '.join(flags)}"

    def _move(self) -> str:
        path, uids = self._some()
        to = self._mailbox()
        if not uids or to == path:
            return f"nothing in {path}"
        _ok(self._connection.uid("MOVE", _set(uids), quote(to)))
        return f"{path} {_set(uids)} to {to}"

    def _copy(self) -> str:
        path, uids = self._some()
        to = self._mailbox()
        if not uids:
            return f"nothing in {path}"
        self._note_copied(self._tokens(uids))
        _ok(self._connection.uid("COPY", _set(uids), quote(to)))
        return f"{path} {_set(uids)} to {to}"

    def _move_by_hand(self) -> str:
        """As clients do where there is no MOVE: COPY, mark, expunge."""
        path, uids = self._some()
        to = self._mailbox()
        if not uids or to == path:
            return f"nothing in {path}"
        self._note_copied(tokens := self._tokens(uids))
        _ok(self._connection.uid("COPY", _set(uids), quote(to)))
        self.removed |= tokens
        self._remove(uids)
        return f"{path} {_set(uids)} to {to}"

    def _expunge(self) -> str:
        path, uids = self._some()
        if not uids:
            return f"nothing in {path}"
        self.removed |= self._tokens(uids)
        self._remove(uids)
        return f"{path} {_set(uids)}"

    def _create(self) -> str:
        free = [name for name in NAMES if name not in self._names()]
        if not free:
            return "nothing"
        path = self._chance.choice(free)
        self._connection.create(quote(path))
        return path

    def _delete(self) -> str:
        path = self._mutable()
        if path is None:
            return "nothing"
        self._about = path
        self._meddle_with_all(path)
        self._leave()
        _ok(self._connection.delete(quote(path)))
        return path

    def _rename(self) -> str:
        """With all that is below it."""
        path = self._mutable()
        free = [name for name in NAMES if name not in self._names()]
        if path is None or not free:
            return "nothing"
        to = self._chance.choice(free)
        if to.startswith(path + "/"):
            return "nothing"
        self._about = f"{path} to {to}"
        self._leave()
        _ok(self._connection.rename(quote(path), quote(to)))
        return self._about

    def _swap(self) -> str:
        """Two mailboxes take each other's names: the list of names stays as it was."""
        both = [name for name in self._names() if name in NAMES and "/" not in name]
        if len(both) < 2:
            return "nothing"
        one, other = self._chance.sample(both, 2)
        self._about = f"{one} and {other}"
        self._leave()
        for old, new in ((one, "Between"), (other, one), ("Between", other)):
            _ok(self._connection.rename(quote(old), quote(new)))
        return self._about

    def _renumber(self) -> str:
        """Another UIDVALIDITY, higher or lower."""
        path = self._mailbox()
        new = self._chance.randrange(1_000, 4_000_000_000)
        self._leave()
        self.dovecot.doveadm("mailbox", "update", "-u", self.user, "--uid-validity", str(new), path)
        return f"{path} as {new}"

    def _rebuild(self) -> str:
        """Everything gets another UID, in another order, under another UIDVALIDITY."""
        path = self._mutable()
        if path is None or "Anew" in self._names() or any(
            name.startswith(path + "/") for name in self._names()
        ):  # fmt: skip
            return "nothing"
        self._about = path
        self._connection.create("Anew")
        uids = self._uids(path, readonly=False)
        self._chance.shuffle(uids)
        for uid in uids:
            _ok(self._connection.uid("MOVE", str(uid), "Anew"))
        self._leave()
        _ok(self._connection.delete(quote(path)))
        _ok(self._connection.rename("Anew", quote(path)))
        return path

    # -- what acts are made of ---------------------------------------------------------------

    @property
    def _connection(self) -> imaplib.IMAP4:
        if self._imap is None:
            self._imap = self.dovecot.imap(self.user)
        return self._imap

    def _close(self) -> None:
        if self._imap is not None:
            with contextlib.suppress(OSError):
                self._imap.shutdown()
        self._imap = None

    def _leave(self) -> None:
        """No mailbox is open while names and numbers change."""
        if self._connection.state == "SELECTED":
            self._connection.unselect()

    def _letter(self) -> bytes:
        self._count += 1
        token = f"m{self._count}"
        body = self._chance.choice(("Hello.", "", "Grüße aus Zürich, 3 €.", "line\r\n" * 200))
        if self._chance.random() < 0.03:
            body = "x" * 76 + "\r\n"
            body *= _BIG_BYTES // len(body)
        references = ""
        if self._count > 3 and self._chance.random() < 0.3:
            references = f"References: <m{self._chance.randrange(1, self._count)}@chaos.test>\r\n"
        raw = (
            f"From: Ada <ada@example.org>\r\nTo: grace@example.org\r\nSubject: {token}\r\n"
            f"Message-ID: <{token}@chaos.test>\r\n{references}"
            f"Date: Fri, 20 Nov 2026 10:{self._count // 60 % 60:02}:{self._count % 60:02} +0000\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n"
        ).encode()
        self._raws[token] = raw
        return raw

    def _put(self, path: str, raw: bytes) -> None:
        flags = " ".join(self._chance.sample(FLAGS[:2], self._chance.randrange(0, 2)))
        _ok(self._connection.append(quote(path), f"({flags})", None, raw))  # type: ignore[arg-type]

    def _note_copied(self, tokens: set[str]) -> None:
        self._copied |= dict.fromkeys(tokens, time.monotonic())

    def _names(self) -> list[str]:
        return self.dovecot.mailboxes(self.user)

    def _mailbox(self) -> str:
        return self._chance.choice([*FIXED, *(one for one in self._names() if one in NAMES)])

    def _mutable(self) -> str | None:
        found = [name for name in self._names() if name in NAMES]
        return self._chance.choice(found) if found else None

    def _uids(self, path: str, *, readonly: bool) -> list[int]:
        status, _ = self._connection.select(quote(path), readonly=readonly)
        if status != "OK":
            return []
        _, (found,) = self._connection.uid("SEARCH", "ALL")
        return [int(uid) for uid in found.split()]

    def _some(self) -> tuple[str, list[int]]:
        """A mailbox, opened, and a few of its messages."""
        path = self._mailbox()
        uids = self._uids(path, readonly=False)
        few = self._chance.choice((1, 1, 2, 4, 20))
        return path, sorted(self._chance.sample(uids, min(few, len(uids))))

    def _tokens(self, uids: list[int]) -> set[str]:
        """What these messages of the open mailbox are."""
        fields = "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])"
        return {_token(answer) for answer in _pairs(self._connection, _set(uids), fields)}

    def _meddle_with_all(self, path: str) -> None:
        if uids := self._uids(path, readonly=True):
            self.removed |= self._tokens(uids)

    def _remove(self, uids: list[int]) -> None:
        _ok(self._connection.uid("STORE", _set(uids), "+FLAGS", "(\\Deleted)"))
        _ok(self._connection.uid("EXPUNGE", _set(uids)))


def truth_of(dovecot: Dovecot, user: str) -> Truth:
    """What the server has, mailbox by mailbox."""
    found: Truth = {}
    with dovecot.imap(user) as imap:
        for path in dovecot.mailboxes(user):
            status, _ = imap.select(quote(path), readonly=True)
            if status != "OK":
                continue  # a name that only holds others (\NonExistent, RFC 9051 §7.3.1)
            found[path] = _residences(imap, path)
    return found


def _residences(imap: imaplib.IMAP4, path: str) -> dict[int, Residence]:
    uidvalidity = int(imap.response("UIDVALIDITY")[1][0])  # type: ignore[arg-type]
    found: dict[int, Residence] = {}
    for answer in _pairs(imap, "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"):
        said = answer[0] + answer[2]
        uid = int(re.search(rb"UID (\d+)", said)[1])  # type: ignore[index]
        flags = re.search(rb"FLAGS \(([^)]*)\)", said)[1].decode().split()  # type: ignore[index]
        found[uid] = Residence(
            path, uidvalidity, uid, _token(answer), frozenset(flags) - {"\\Recent"}
        )
    return found


def _pairs(imap: imaplib.IMAP4, uids: str, items: str) -> list[tuple[bytes, bytes, bytes]]:
    """Each answer to a FETCH with one literal: what stands before it, it, and what after."""
    answers = _ok(imap.uid("FETCH", uids, items))
    return [
        (one[0], one[1], after if isinstance(after, bytes) else b"")
        for one, after in zip(answers, [*answers[1:], b""], strict=True)
        if isinstance(one, tuple)
    ]


def _token(answer: tuple[bytes, bytes, bytes]) -> str:
    return answer[1].decode().partition(":")[2].strip()


def _set(uids: list[int]) -> str:
    return ",".join(str(uid) for uid in uids)


def _ok(answer: tuple[str, list[Any]]) -> list[Any]:
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error(f"{status} {data}")
    return data
