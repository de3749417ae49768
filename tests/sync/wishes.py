"""What people want done on a server, and what sync says became of it."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.contracts.account import ConnectSync
from shared.contracts.intent import (
    CarryIntent,
    IntentSettled,
    MailboxChange,
    MessageChange,
    Step,
)
from tests.servers.dovecot import Dovecot
from tests.servers.imap_server import Reachable
from tests.stories.stack import until
from tests.sync.conftest import Sync


def raw(subject: str) -> bytes:
    return (
        f"From: Ada <ada@example.org>\r\nSubject: {subject}\r\n"
        f"Message-ID: <{subject}@example.org>\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\n"
        "\r\nShall we?\r\n"
    ).encode()


class Wishes:
    """What a person wants of one account, and what sync said became of it."""

    def __init__(self, sync: Sync, account: ConnectSync) -> None:
        self.sync = sync
        self.account = account
        self.seq = 0

    async def wants(
        self,
        change: MessageChange | None,
        *message_ids: UUID,
        mailbox: MailboxChange | None = None,
        **more: Any,
    ) -> UUID:
        self.seq += 1
        given: dict[str, Any] = {
            "tenant_id": self.account.tenant_id,
            "account_id": self.account.account_id,
            "intent_id": uuid7(),
            "seq": self.seq,
            "steps": () if change is None else (Step(change=change, message_ids=message_ids),),
            "mailbox": mailbox,
        }
        command = CarryIntent(**(given | more))
        await self.sync.command(command)
        return command.intent_id

    async def until_settled(self, intent_id: UUID) -> IntentSettled:
        async def check() -> IntentSettled | None:
            return next(
                (
                    event
                    for event in self.sync.listener.told
                    if isinstance(event, IntentSettled) and event.intent_id == intent_id
                ),
                None,
            )

        return await until("the intent is settled", check)

    async def gets(self, change: MessageChange | None, *ids: UUID, **more: Any) -> IntentSettled:
        return await self.until_settled(await self.wants(change, *ids, **more))


async def connected(sync: Sync, user: str, server: Reachable) -> Wishes:
    return Wishes(sync, await sync.connect(user, server))


def uid_of(server: Dovecot, user: str, subject: str, mailbox: str = "INBOX") -> int:
    named = f"<{subject}@example.org>"
    return next(uid for uid, known in server.message_ids(user, mailbox).items() if known == named)


def flags_of(server: Dovecot, user: str, subject: str, mailbox: str = "INBOX") -> set[str]:
    flags = server.flags(user, mailbox)[uid_of(server, user, subject, mailbox)]
    return set(flags - {"\\Recent"})


def subjects(server: Dovecot, user: str, mailbox: str = "INBOX") -> set[str]:
    return {str(one)[1:].split("@")[0] for one in server.message_ids(user, mailbox).values()}


def mailbox_id(sync: Sync, path: str) -> UUID:
    return next(
        one.mailbox_id for one in sync.listener.boxes.values() if one.path == path and not one.gone
    )


async def until_taken(sync: Sync, intent: UUID) -> None:
    async def check() -> bool:
        return bool(
            await sync.database.fetchval("SELECT 1 FROM intent WHERE intent_id = $1", intent)
        )

    await until("the intent is a row", check)
