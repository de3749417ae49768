"""The demo server's mail on disk: one SQLite file that outlives restarts and crashes."""

import sqlite3
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS mailboxes (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    uid_validity INTEGER NOT NULL,
    next_uid INTEGER NOT NULL DEFAULT 1,
    subscribed INTEGER NOT NULL DEFAULT 1,
    UNIQUE (owner, name)
);
CREATE TABLE IF NOT EXISTS messages (
    mailbox TEXT NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    uid INTEGER NOT NULL,
    email_id TEXT NOT NULL,
    received_at REAL NOT NULL,
    flags TEXT NOT NULL,
    raw BLOB NOT NULL,
    PRIMARY KEY (mailbox, uid)
);
"""


@dataclass(frozen=True)
class MailboxRow:
    """A mailbox as it was when the server stopped."""

    id: str
    name: str
    uid_validity: int
    next_uid: int
    subscribed: bool


@dataclass(frozen=True)
class MessageRow:
    """What a mailbox knows of a message without reading it."""

    uid: int
    email_id: str
    received_at: datetime
    flags: frozenset[str]


class Storage:
    """Every change is on disk before the client hears of it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(directory / "mail.sqlite3")
        # With a write-ahead log a commit costs no fsync, and a killed process loses nothing.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("PRAGMA foreign_keys = ON")
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        self._database.close()

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """Commits at the end, or leaves everything as it was."""
        return self._database

    @property
    def seeded(self) -> bool:
        """Whether the first messages are there; they come once, even if the user deletes them."""
        return bool(self._database.execute("PRAGMA user_version").fetchone()[0])

    def mark_seeded(self) -> None:
        self._database.execute("PRAGMA user_version = 1")

    def mailboxes(self, owner: str) -> list[MailboxRow]:
        rows = self._database.execute(
            "SELECT id, name, uid_validity, next_uid, subscribed FROM mailboxes"
            " WHERE owner = ? ORDER BY rowid",
            (owner,),
        )
        return [MailboxRow(*row[:4], subscribed=bool(row[4])) for row in rows]

    def add_mailbox(self, owner: str, row: MailboxRow) -> None:
        self._database.execute(
            "INSERT INTO mailboxes (id, owner, name, uid_validity, next_uid, subscribed)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (row.id, owner, row.name, row.uid_validity, row.next_uid, row.subscribed),
        )

    def delete_mailbox(self, mailbox: str) -> None:
        self._database.execute("DELETE FROM mailboxes WHERE id = ?", (mailbox,))

    def rename_mailbox(self, mailbox: str, name: str) -> None:
        self._database.execute("UPDATE mailboxes SET name = ? WHERE id = ?", (name, mailbox))

    def set_subscribed(self, mailbox: str, subscribed: bool) -> None:
        self._database.execute(
            "UPDATE mailboxes SET subscribed = ? WHERE id = ?", (subscribed, mailbox)
        )

    def messages(self, mailbox: str) -> list[MessageRow]:
        rows = self._database.execute(
            "SELECT uid, email_id, received_at, flags FROM messages WHERE mailbox = ? ORDER BY uid",
            (mailbox,),
        )
        return [
            MessageRow(
                uid=uid,
                email_id=email_id,
                received_at=datetime.fromtimestamp(received_at, UTC),
                flags=frozenset(flags.split()),
            )
            for uid, email_id, received_at, flags in rows
        ]

    def raw(self, mailbox: str, uid: int) -> bytes | None:
        row = self._database.execute(
            "SELECT raw FROM messages WHERE mailbox = ? AND uid = ?", (mailbox, uid)
        ).fetchone()
        return row and bytes(row[0])

    def add_message(self, mailbox: str, message: MessageRow, raw: bytes) -> None:
        self._database.execute(
            "INSERT INTO messages (mailbox, uid, email_id, received_at, flags, raw)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                mailbox,
                message.uid,
                message.email_id,
                message.received_at.timestamp(),
                " ".join(sorted(message.flags)),
                raw,
            ),
        )
        self._take_uid(mailbox, message.uid)

    def copy_message(self, mailbox: str, uid: int, target: str, target_uid: int) -> None:
        self._database.execute(
            "INSERT INTO messages (mailbox, uid, email_id, received_at, flags, raw)"
            " SELECT ?, ?, email_id, received_at, flags, raw FROM messages"
            " WHERE mailbox = ? AND uid = ?",
            (target, target_uid, mailbox, uid),
        )
        self._take_uid(target, target_uid)

    def set_flags(self, mailbox: str, uid: int, flags: frozenset[str]) -> None:
        self._database.execute(
            "UPDATE messages SET flags = ? WHERE mailbox = ? AND uid = ?",
            (" ".join(sorted(flags)), mailbox, uid),
        )

    def delete_messages(self, mailbox: str, uids: Iterable[int]) -> None:
        self._database.executemany(
            "DELETE FROM messages WHERE mailbox = ? AND uid = ?", [(mailbox, uid) for uid in uids]
        )

    def _take_uid(self, mailbox: str, uid: int) -> None:
        # A UID is never given twice, not even when its message is gone (RFC 9051 §2.3.1.1).
        self._database.execute("UPDATE mailboxes SET next_uid = ? WHERE id = ?", (uid + 1, mailbox))
