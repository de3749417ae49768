"""An account on which life goes on, and what sync keeps of it."""

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import nats

from services.sync.domain.kept import content_json
from shared.contracts.ids import Kind, read
from shared.contracts.mail import Content
from tests import corpora
from tests.servers.dovecot import Dovecot
from tests.stories.stack import Stack, until

FOLDERS = ("INBOX", "Archive", "Trash")
ACTS = ("comes", "is marked", "is moved", "goes")
MARKS = ("\\Flagged", "\\Seen", "\\Answered", "$Later")
PAUSE_SECONDS = 0.03


def letters(count: int) -> list[bytes]:
    """Mail of every kind, real where it is here."""
    real = [raw for _, raw in corpora.messages()]
    if real:
        return real[:: max(1, len(real) // count)][:count]
    return [
        f"From: Ada{n} <ada{n}@postbus.test>\r\nTo: Grace <grace@postbus.test>\r\n"
        f"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_{n}?=\r\nMessage-ID: <{n}.story@postbus.test>\r\n"
        f"\r\nWord{n} of {n % 7} telescopes.\r\n".encode()
        for n in range(count)
    ]


@dataclass
class Life:
    """Somebody at work in a mailbox: mail comes, is marked, moved and expunged, without a pause."""

    dovecot: Dovecot
    user: str
    acts: Counter[str] = field(default_factory=Counter[str])
    _chance: random.Random = field(default_factory=lambda: random.Random(7))
    _ended: threading.Event = field(default_factory=threading.Event)

    @asynccontextmanager
    async def going_on(self) -> AsyncGenerator[None]:
        """Life goes on while inside."""
        self._ended.clear()
        living = asyncio.create_task(asyncio.to_thread(self._live))
        try:
            yield
        finally:
            self._ended.set()
            await living

    async def until_more(self, times: int = 3) -> None:
        """Until each of these has happened so often again."""
        begun = Counter(self.acts)

        async def enough() -> bool:
            return all(self.acts[act] - begun[act] >= times for act in ACTS)

        await until("more has happened", enough)

    def _live(self) -> None:
        with self.dovecot.imap(self.user) as imap:
            while not self._ended.wait(PAUSE_SECONDS):
                act = self._chance.choice(ACTS)
                if act == "comes":
                    number = self.acts.total()
                    imap.append("INBOX", "", None, _news(number))  # type: ignore[arg-type]
                    self.acts[act] += 1
                    continue
                imap.select(self._chance.choice(FOLDERS))
                _, (found,) = imap.uid("SEARCH", "ALL")
                uids = found.decode().split()
                # The last of a folder stays, so that there is always something to do.
                if len(uids) < 2:
                    continue
                self._do(imap, act, self._chance.choice(uids))
                self.acts[act] += 1

    def _do(self, imap: Any, act: str, uid: str) -> None:
        if act == "is marked":
            imap.uid("STORE", uid, self._chance.choice("+-") + "FLAGS", self._chance.choice(MARKS))
        elif act == "is moved":
            imap.uid("MOVE", uid, self._chance.choice(FOLDERS))
        else:
            imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
            imap.uid("EXPUNGE", uid)


def _news(number: int) -> bytes:
    return (
        f"From: life@postbus.test\r\nSubject: News {number}\r\n"
        f"Message-ID: <{number}.news@postbus.test>\r\n\r\nMeanwhile{number}.\r\n"
    ).encode()


@dataclass(frozen=True)
class KeptMessage:
    """A message as sync keeps it: the truth that others project."""

    message_id: UUID
    tenant_id: UUID
    account_id: UUID
    mailbox_id: UUID | None
    thread_id: UUID
    revision: int
    keywords: frozenset[str]
    arrival: str
    content: Content


async def kept(connection: asyncpg.Connection, *accounts: str) -> dict[UUID, KeptMessage]:
    """Every message that sync keeps of these accounts."""
    rows = await connection.fetch(
        """
        SELECT message_id, message.tenant_id, message.account_id, mailbox_id, thread_id, revision,
               keywords, arrival, content, body
          FROM sync.message JOIN sync.message_content USING (message_id)
         WHERE message.account_id = ANY($1)
        """,
        uuids(*accounts),
    )
    messages: dict[UUID, KeptMessage] = {}
    for row in map(dict, rows):
        content = content_json(row.pop("content"), row.pop("body"))
        messages[row["message_id"]] = KeptMessage(
            **{
                **row,
                "keywords": frozenset(row["keywords"]),
                "content": msgspec.json.decode(content, type=Content),
            }
        )
    return messages


async def until_all_is_told(stack: Stack, dovecot: Dovecot, accounts: Mapping[str, str]) -> None:
    """Until sync keeps what Dovecot has of these (account: user), and everybody has heard it."""
    connection = await asyncpg.connect(stack.superuser_url)
    client = await nats.connect(stack.bus_admin_url)
    js = client.jetstream()

    async def same() -> bool:
        for account, user in accounts.items():
            if await _places(connection, account) != await asyncio.to_thread(_there, dovecot, user):
                return False
        return True

    async def waiting() -> dict[str, int]:
        found = await connection.fetchrow(
            """
            SELECT (SELECT count(*) FROM sync.outbox) AS told_by_sync,
                   (SELECT count(*) FROM api.outbox) AS told_by_api,
                   (SELECT count(*) FROM indexer.outbox) AS told_by_indexer,
                   (SELECT count(*) FROM sync.retelling) AS retelling,
                   (SELECT count(*) FROM sync.message WHERE uid IS NULL) AS without_place,
                   (SELECT count(*) FROM api.retelling WHERE swept_at IS NULL) AS open_at_api,
                   (SELECT count(*) FROM indexer.retelling
                     WHERE closed_at IS NULL) AS open_at_indexer
            """
        )
        streams = {name: (await js.stream_info(name)).state.messages for name in STREAMS}
        return {what: n for what, n in {**dict(found), **streams}.items() if n}

    try:
        await until("sync keeps what the server has", same, seconds=90)

        async def silent() -> bool:
            nonlocal left
            left = await waiting()
            return not left

        left: dict[str, int] = {}
        try:
            await until("everybody has heard everything", silent, seconds=90)
        except AssertionError:
            raise AssertionError(f"still waiting: {json.dumps(left)}") from None
    finally:
        await client.close()
        await connection.close()


STREAMS = ("MAIL", "FILL", "SYNC", "SENDER")


async def _places(connection: asyncpg.Connection, account: str) -> dict[str, dict[int, frozenset]]:
    rows = await connection.fetch(
        """
        SELECT path, uid, keywords FROM sync.message JOIN sync.mailbox USING (mailbox_id)
         WHERE message.account_id = $1 AND uid IS NOT NULL
        """,
        *uuids(account),
    )
    found: dict[str, dict[int, frozenset]] = {folder: {} for folder in FOLDERS}
    for row in rows:
        found[row["path"]][row["uid"]] = frozenset(row["keywords"])
    return found


def _there(dovecot: Dovecot, user: str) -> dict[str, dict[int, frozenset]]:
    return {
        folder: {uid: flags - {"\\Recent"} for uid, flags in dovecot.flags(user, folder).items()}
        for folder in FOLDERS
    }


def uuids(*accounts: str) -> list[UUID]:
    return [read(Kind.ACCOUNT, account) for account in accounts]
