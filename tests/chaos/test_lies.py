"""A server that does not tell the truth harms its own account only, and only while it lies."""

import asyncio
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from structlog.processors import format_exc_info
from structlog.testing import capture_logs

from shared.contracts.account import AccountChanged, ConnectSync
from tests.chaos import liar
from tests.chaos.liar import Liar, Lie
from tests.chaos.life import Truth, truth_of
from tests.servers.dovecot import Dovecot
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.test_copy import a_message

IMPATIENT = {
    "poll_seconds": 0.5,
    "compare_seconds": 0.5,
    "command_seconds": 2.0,
    "retry_seconds": 0.1,
    "retry_longest_seconds": 0.5,
    "audit_seconds": 1.0,
}
LIES: dict[str, Lie] = {
    "expunges that never were, and each twice": liar.expunges_twice,
    "expunges told late": liar.expunges_late,
    "data of other mailboxes": liar.of_other_mailboxes,
    "UIDs out of order": liar.out_of_order,
    "messages listed and not given": liar.missing(),
    "NIL everywhere": liar.nil_everywhere,
    "literals in odd places": liar.literals_in_odd_places,
    "a wrong RFC822.SIZE": liar.wrong_size,
    "a wrong BODYSTRUCTURE": liar.wrong_structure,
    "a UIDNEXT too small": liar.uidnext_too_small,
    "BYE in the middle of a literal": liar.bye_in_mid_literal,
    "garbage": liar.garbage,
    "a mailbox that is suddenly empty": liar.nothing_is_there,
    "another UIDVALIDITY each time": liar.renumbered_each_time,
    "a HIGHESTMODSEQ too small": liar.modseq_too_small,
    "commands refused at their end": liar.refused,
    "each message twice, and differently": liar.fetched_twice,
    "a list of mailboxes one short": liar.a_mailbox_short,
}
#: What is said of the account while it is lied to, where it is more than that it lives.
SAID: dict[str, set[tuple[str, str | None]]] = {
    "BYE in the middle of a literal": {
        ("unreachable", "server_said_bye"),
        ("unreachable", "connection_lost"),
    },
    "garbage": {("unreachable", "not_imap")},
    "commands refused at their end": {("unreachable", "server_busy")},
}


def letters(name: str, count: int) -> list[bytes]:
    return [a_message(f"{name} {number}") for number in range(count)]


def a_large_message(name: str) -> bytes:
    """Larger than what is fetched whole: its attachment stays on the server."""
    attachment = b"\r\n".join([b"QUJD" * 19] * 5000)
    return (
        f"From: ada@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n".encode()
        + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nSee the attachment.\r\n"
        b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + attachment + b"\r\n--b--\r\n"
    )


def live_on(dovecot: Dovecot, user: str, number: int) -> None:
    """Something of everything happens."""
    dovecot.append(
        user, "INBOX", [*letters(f"Later {number}", 2), a_large_message(f"Large-{number}")]
    )
    with dovecot.imap(user) as imap:
        imap.select("INBOX")
        _, (found,) = imap.uid("SEARCH", "ALL")
        first, second, third, *_ = found.decode().split()
        imap.uid("STORE", first, "+FLAGS", f"(\\Flagged Round{number})")
        imap.uid("MOVE", second, "Archive")
        imap.uid("STORE", third, "+FLAGS", "(\\Deleted)")
        imap.uid("EXPUNGE", third)


async def live_until_lied_to(dovecot: Dovecot, user: str, server: Liar) -> None:
    """Life goes on until enough lies were told about it."""
    lives = 0
    async with asyncio.timeout(60):
        while lives < 3 or server.told < 5:
            await asyncio.to_thread(live_on, dovecot, user, lives)
            lives += 1
            await asyncio.sleep(0.5)  # for some to be seen alone, and some together


async def difference(sync: Sync, account: UUID, truth: Truth) -> dict[str, Any]:
    """What is not as on the server; empty when the copy is whole."""
    rows = await sync.database.fetch(
        """
        SELECT path, uidvalidity, uid, keywords, message_id
          FROM message JOIN mailbox USING (mailbox_id)
         WHERE message.account_id = $1 AND uid IS NOT NULL AND gone_at IS NULL
        """,
        account,
    )
    whole = sync.listener.whole
    ours = {
        (
            row["path"],
            row["uidvalidity"],
            row["uid"],
            whole[row["message_id"]].content.subject if row["message_id"] in whole else None,
            frozenset(row["keywords"]),
        )
        for row in rows
    }
    theirs = {
        (one.path, one.uidvalidity, one.uid, one.token, one.flags)
        for box in truth.values()
        for one in box.values()
    }
    found: dict[str, Any] = {"not kept": theirs - ours, "not there": ours - theirs}
    found["quarantine"] = await sync.database.fetch(
        "SELECT uid, reason FROM quarantine WHERE account_id = $1", account
    )
    return {what: which for what, which in found.items() if which}


async def until_whole(sync: Sync, dovecot: Dovecot, user: str, account: UUID) -> None:
    truth = await asyncio.to_thread(truth_of, dovecot, user)
    left: dict[str, Any] = {}

    async def whole() -> bool:
        nonlocal left
        left = await difference(sync, account, truth)
        return not left

    try:
        await until("the copy is whole", whole, seconds=30)
    except AssertionError:
        raise AssertionError(f"not whole: {left}") from None

    async def live() -> bool:
        return (
            await sync.database.fetchval(
                "SELECT state FROM account_state WHERE account_id = $1", account
            )
            == "live"
        )

    await until("the account is live", live)


def states(sync: Sync, account: ConnectSync) -> set[tuple[str, str | None]]:
    return {
        (event.state.value, event.reason)
        for event in sync.listener.told
        if isinstance(event, AccountChanged) and event.account_id == account.account_id
    }


@contextmanager
def logged() -> Generator[list[Any]]:
    """What sync logs, which pytest shows of a test that fails."""
    with capture_logs([format_exc_info]) as logs:
        try:
            yield logs  # type: ignore[misc]
        finally:
            for entry in logs:
                print(*entry.items(), sep="\n  ")


def crashes(logs: Sequence[Any]) -> list[Any]:
    return [entry for entry in logs if entry["log_level"] in {"error", "critical"}]


@pytest.mark.parametrize("name", LIES)
async def test_what_a_server_lied_about_is_as_it_is_when_it_tells_the_truth_again(
    sync: Sync, dovecot: Dovecot, user: str, name: str
) -> None:
    dovecot.append(user, "INBOX", [*letters("First", 8), a_large_message("Large")])
    dovecot.append(user, "Archive", letters("Old", 4))
    honest = dovecot.new_user("honest")
    async with Liar.before(dovecot.imap_port) as server:
        with logged() as logs:
            async with sync.running(**IMPATIENT):
                server.lie = LIES[name]
                account = await sync.connect(user, server)
                other = await sync.connect(honest, dovecot)
                await live_until_lied_to(dovecot, user, server)
                dovecot.append(honest, "INBOX", letters("Elsewhere", 2))
                await until_whole(sync, dovecot, honest, other.account_id)
                if name in SAID:
                    await until_said(sync, account, SAID[name])
                server.repent()
                await until_whole(sync, dovecot, user, account.account_id)
    assert crashes(logs) == []


async def test_a_message_larger_than_a_server_says_is_read_by_its_parts(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [*letters("Small", 3), a_large_message("Large")])
    heard: list[bytes] = []

    def mishears(asked: bytes) -> bytes:
        heard.append(asked)
        return re.sub(rb"LARGER \d+", b"LARGER 999999999", asked)

    async with Liar.before(dovecot.imap_port) as server:
        server.mishears = mishears
        with logged() as logs:
            async with sync.running(**IMPATIENT):
                account = await sync.connect(user, server)
                await until_whole(sync, dovecot, user, account.account_id)
    assert crashes(logs) == []
    asked = b"".join(heard)
    assert b"LARGER" in asked
    assert b"BODYSTRUCTURE" in asked
    (large,) = (one for one in sync.listener.whole.values() if one.content.subject == "Large")
    assert large.content.text.strip() == "See the attachment."
    (attachment,) = large.content.attachments
    assert (attachment.name, attachment.size_bytes) == ("a.pdf", 285_000)


async def until_said(sync: Sync, account: ConnectSync, any_of: set[tuple[str, str | None]]) -> None:
    async def said() -> bool:
        return bool(any_of & states(sync, account))

    try:
        await until("the account's state says what happened", said, seconds=20)
    except AssertionError:
        raise AssertionError(f"{states(sync, account)}, none of {any_of}") from None


async def test_a_server_that_drips_is_waited_for_and_holds_nobody_else_up(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", letters("First", 5))
    honest = dovecot.new_user("honest")
    async with Liar.before(dovecot.imap_port) as server:
        with logged() as logs:
            async with sync.running(**IMPATIENT):
                server.bytes_per_second = 100
                account = await sync.connect(user, server)
                other = await sync.connect(honest, dovecot)
                for number in range(3):
                    dovecot.append(honest, "INBOX", letters(f"Elsewhere {number}", 1))
                    await until_whole(sync, dovecot, honest, other.account_id)
                assert server.told
                server.repent()
                await until_whole(sync, dovecot, user, account.account_id)
    assert crashes(logs) == []
