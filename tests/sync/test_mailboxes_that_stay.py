"""A mailbox keeps its id whatever it is called, and whatever a list says while names change."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared.contracts.account import ConnectSync
from shared.contracts.mail import MailboxRenumbered
from shared.contracts.standing import CheckSync
from tests.chaos.liar import Liar
from tests.servers.dovecot import Dovecot, Mail
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.test_copy import a_message, some_messages
from tests.sync.test_ids_that_stay import HURRIED, a_whole_round, ids, until_ids, without


async def mailbox_ids(sync: Sync) -> dict[str, UUID]:
    rows = await sync.database.fetch("SELECT path, mailbox_id FROM mailbox WHERE gone_at IS NULL")
    return {row["path"]: row["mailbox_id"] for row in rows}


def shown(sync: Sync) -> dict[str, UUID]:
    """The mailboxes that listeners know of, by path."""
    return {one.path: one.mailbox_id for one in sync.listener.boxes.values() if not one.gone}


async def until_shown(sync: Sync, check: Callable[[dict[str, UUID]], bool]) -> dict[str, UUID]:
    async def told() -> dict[str, UUID] | None:
        found = shown(sync)
        return found if check(found) else None

    return await until("the mailboxes are told", told)


def rename(dovecot: Dovecot, user: str, *names: tuple[str, str]) -> None:
    with dovecot.imap(user) as imap:
        for path, to in names:
            assert imap.rename(path, to)[0] == "OK"


def renumber(dovecot: Dovecot, user: str, path: str, uidvalidity: int) -> None:
    dovecot.doveadm("mailbox", "update", "-u", user, "--uid-validity", str(uidvalidity), path)


async def test_a_mailbox_that_takes_the_name_of_one_that_only_held_others_keeps_its_id(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Beta", some_messages(3))
    dovecot.append(user, "Zoo/Apes", [a_message("An ape")])  # of Zoo there is the name only
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        before = await until_ids(sync, "Beta", 3)
        await until_ids(sync, "Zoo/Apes", 1)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
    rename(dovecot, user, ("Zoo", "Between"), ("Beta", "Zoo"), ("Between", "Beta"))
    async with sync.running(**HURRIED):
        assert await until_ids(sync, "Zoo", 3) == before
        await a_whole_round(sync)
        now = await until_shown(sync, lambda found: "Beta/Apes" in found)
        assert (now["Zoo"], now["Beta/Apes"]) == (were["Beta"], were["Zoo/Apes"])
    assert sync.listener.gone == set()


async def test_two_mailboxes_that_swap_names_keep_their_ids_when_a_list_shows_one_of_them(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Alpha", some_messages(2))
    dovecot.append(user, "Beta", [a_message("Another")])
    async with Liar.before(dovecot.imap_port) as server, sync.running(**HURRIED):
        await sync.connect(user, server)
        other = await until_ids(sync, "Beta", 1)
        await until_ids(sync, "Alpha", 2)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
        server.lie = without(b"Between")
        rename(dovecot, user, ("Alpha", "Between"))
        await until_shown(sync, lambda found: "Alpha" not in found)
        rename(dovecot, user, ("Beta", "Alpha"), ("Between", "Beta"))
        server.repent()
        await until_ids(sync, "Beta", 2)
        now = await until_shown(sync, lambda found: {"Alpha", "Beta"} <= found.keys())
        assert (now["Alpha"], now["Beta"]) == (were["Beta"], were["Alpha"])
        assert await ids(sync, "Alpha") == other
        await sync.until_listed(2, "Beta")


@pytest.mark.parametrize("to", ["Alpha", "Gamma"])
async def test_a_mailbox_that_is_listed_again_has_its_id_again(
    sync: Sync, dovecot: Dovecot, user: str, to: str
) -> None:
    dovecot.append(user, "Alpha", some_messages(3))
    async with Liar.before(dovecot.imap_port) as server, sync.running(**HURRIED):
        await sync.connect(user, server)
        await until_ids(sync, "Alpha", 3)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
        server.lie = without(to.encode())
        if to != "Alpha":
            rename(dovecot, user, ("Alpha", to))
        await until_shown(sync, lambda found: "Alpha" not in found)
        await until("its messages are listed nowhere", lambda: nothing_listed(sync))
        for _ in range(2):
            await a_whole_round(sync)
        server.repent()
        await until_ids(sync, to, 3)
        now = await until_shown(sync, lambda found: to in found)
        assert now[to] == were["Alpha"]
        await sync.until_listed(3, to)
        assert await sync.database.fetchval("SELECT count(*) FROM keepsake") == 0


async def test_messages_of_a_mailbox_that_several_lists_lack_keep_their_ids(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Alpha", some_messages(3))
    # A round a second or so, by news; and some minutes until three polls are over.
    async with Liar.before(dovecot.imap_port) as server, sync.running(poll_seconds=60.0):
        account = await sync.connect(user, server)
        before = await until_ids(sync, "Alpha", 3)
        await a_look(sync, account)
        server.lie = without(b"Alpha")
        for _ in range(3):
            await a_look(sync, account)
        await until_shown(sync, lambda found: "Alpha" not in found)
        await until("its messages are listed nowhere", lambda: nothing_listed(sync))
        server.repent()
        assert await until_ids(sync, "Alpha", 3) == before
        await sync.until_listed(3, "Alpha")
    assert sync.listener.gone == set()


async def a_look(sync: Sync, account: ConnectSync) -> None:
    """Somebody asks for a round, and it went through."""
    round_over = asyncio.create_task(a_whole_round(sync))
    await sync.command(CheckSync(tenant_id=account.tenant_id, account_id=account.account_id))
    await round_over


async def nothing_listed(sync: Sync) -> bool:
    return sync.listener.listed() == {}


async def test_the_server_makes_a_mailbox_anew_and_the_renamed_one_keeps_its_id(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Trash", some_messages(3))
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        before = await until_ids(sync, "Trash", 3)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
        rename(dovecot, user, ("Trash", "Kept"))
        assert await until_ids(sync, "Kept", 3) == before
        now = await until_shown(sync, lambda found: {"Kept", "Trash"} <= found.keys())
        assert now["Kept"] == were["Trash"] != now["Trash"]
        dovecot.append(user, "Trash", [a_message("Another")])
        await until_ids(sync, "Trash", 1)
    assert sync.listener.gone == set()


async def until_closed(sync: Sync, path: str) -> None:
    async def closed() -> bool:
        return await sync.database.fetchval(
            "SELECT NOT selectable FROM mailbox WHERE path = $1 AND gone_at IS NULL", path
        )

    await until("it is a name only", closed)


async def test_a_mailbox_that_is_closed_and_opened_anew_keeps_its_id_and_is_not_renumbered(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Zoo", some_messages(2))
    dovecot.append(user, "Zoo/Apes", [a_message("An ape")])
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        await until_ids(sync, "Zoo", 2)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
        with dovecot.imap(user) as imap:
            assert imap.delete("Zoo")[0] == "OK"
        await until_closed(sync, "Zoo")
        await a_whole_round(sync)
        dovecot.append(user, "Zoo", [a_message("Another")])
        await until_ids(sync, "Zoo", 1)
        await a_whole_round(sync)
        assert (await mailbox_ids(sync))["Zoo"] == were["Zoo"]
    assert not [one for one in sync.listener.told if isinstance(one, MailboxRenumbered)]


async def test_a_mailbox_that_is_renamed_when_its_newest_messages_have_left_keeps_its_id(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Alpha", some_messages(12))
    dovecot.append(user, "Beta", [a_message("Another")])
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        before = await until_ids(sync, "Alpha", 12)
        await until_ids(sync, "Beta", 1)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
    with dovecot.imap(user) as imap:
        imap.select("Alpha")
        assert imap.uid("MOVE", "4:12", "Beta")[0] == "OK"
    rename(dovecot, user, ("Alpha", "Gamma"))
    async with sync.running(**HURRIED):
        stayed = await until_ids(sync, "Gamma", 3)
        await until_ids(sync, "Beta", 10)
        now = await until_shown(sync, lambda found: "Gamma" in found)
        assert now["Gamma"] == were["Alpha"]
        assert set(stayed.values()) <= set(before.values())
    assert sync.listener.gone == set()


@pytest.mark.parametrize("since", [0, 2])
async def test_a_mailbox_that_is_renamed_when_all_its_messages_have_left_keeps_its_id(
    sync: Sync, dovecot: Dovecot, user: str, since: int
) -> None:
    dovecot.append(user, "Alpha", some_messages(3))
    dovecot.append(user, "Beta", [a_message("Another")])
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        before = await until_ids(sync, "Alpha", 3)
        await until_ids(sync, "Beta", 1)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
    with dovecot.imap(user) as imap:
        imap.select("Alpha")
        assert imap.uid("MOVE", "1:*", "Beta")[0] == "OK"
    dovecot.append(user, "Alpha", [a_message(f"Later {n}") for n in range(since)])
    rename(dovecot, user, ("Alpha", "Gamma"))
    async with sync.running(**HURRIED):
        moved = await until_ids(sync, "Beta", 4)
        assert set(before.values()) <= set(moved.values())
        now = await until_shown(sync, lambda found: "Gamma" in found)
        assert now["Gamma"] == were["Alpha"]
        if since:
            await until_ids(sync, "Gamma", since)
    assert sync.listener.gone == set()


async def test_a_mailbox_that_was_empty_and_is_renamed_with_its_first_messages_keeps_its_id(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.doveadm("mailbox", "create", "-u", user, "Alpha")
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        await until_shown(sync, lambda found: "Alpha" in found)
        for _ in range(2):
            await a_whole_round(sync)
        were = await mailbox_ids(sync)
    dovecot.append(user, "Alpha", some_messages(2))
    rename(dovecot, user, ("Alpha", "Gamma"))
    async with sync.running(**HURRIED):
        await until_ids(sync, "Gamma", 2)
        now = await until_shown(sync, lambda found: "Gamma" in found)
        assert now["Gamma"] == were["Alpha"]


async def test_a_number_that_two_mailboxes_have_tells_nothing_of_one_without_messages(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    """Some servers give all mailboxes one UIDVALIDITY."""
    dovecot.append(user, "Alpha", some_messages(3))
    dovecot.append(user, "Beta", [a_message("Another")])
    for path in ("Alpha", "Beta"):
        renumber(dovecot, user, path, 4242)
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        await until_ids(sync, "Alpha", 3)
        await until_ids(sync, "Beta", 1)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
    with dovecot.imap(user) as imap:
        imap.select("Alpha")
        assert imap.uid("MOVE", "1:*", "Beta")[0] == "OK"
    rename(dovecot, user, ("Alpha", "Gamma"))
    async with sync.running(**HURRIED):
        now = await until_shown(sync, lambda found: "Gamma" in found)
        assert now["Gamma"] not in were.values()
        assert now["Beta"] == were["Beta"]


@pytest.mark.parametrize("alone", [True, False])
async def test_a_mailbox_with_a_message_that_was_moved_with_another_date_keeps_its_id(
    sync: Sync, dovecot: Dovecot, user: str, alone: bool
) -> None:
    """Some programs move a message by storing it anew: it is listed with the date of that."""
    ape = a_message("An ape")
    dovecot.append(user, "Alpha", some_messages(3))
    dovecot.append(user, "Beta", [Mail(ape, (), datetime(2020, 1, 1, tzinfo=UTC))])
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        await until_ids(sync, "Alpha", 3)
        before = await until_ids(sync, "Beta", 1)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
    dovecot.append(user, "Alpha", [Mail(ape, (), datetime(2026, 1, 1, tzinfo=UTC))])
    with dovecot.imap(user) as imap:
        imap.select("Beta")
        imap.store("1", "+FLAGS", "\\Deleted")
        assert imap.expunge()[0] == "OK"
    async with sync.running(**HURRIED):
        await until_ids(sync, "Alpha", 4)
        await a_whole_round(sync)
        moved = await until_ids(sync, "Alpha", 4)
        assert set(before.values()) <= set(moved.values())
    if alone:  # what tells of the mailbox is this message
        with dovecot.imap(user) as imap:
            imap.select("Alpha")
            imap.store("1:3", "+FLAGS", "\\Deleted")
            assert imap.expunge()[0] == "OK"
    else:  # as earlier releases left it
        await sync.database.execute(
            "UPDATE message SET match_key = '\\x00' WHERE message_id = ANY($1)",
            list(before.values()),
        )
    rename(dovecot, user, ("Alpha", "Gamma"))
    async with sync.running(**HURRIED):
        now = await until_shown(sync, lambda found: "Gamma" in found)
        assert now["Gamma"] == were["Alpha"]
        stayed = await until_ids(sync, "Gamma", 1 if alone else 4)
        assert set(stayed.values()) <= set(moved.values())


async def test_a_mailbox_that_was_gone_for_more_than_a_day_is_a_new_one(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Alpha", some_messages(3))
    async with Liar.before(dovecot.imap_port) as server, sync.running(**HURRIED):
        await sync.connect(user, server)
        await until_ids(sync, "Alpha", 3)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
        server.lie = without(b"Alpha")
        await until_shown(sync, lambda found: "Alpha" not in found)
        await sync.database.execute("UPDATE mailbox SET gone_at = gone_at - interval '25 hours'"
                                    " WHERE gone_at IS NOT NULL")  # fmt: skip
        server.repent()
        now = await until_shown(sync, lambda found: "Alpha" in found)
        assert now["Alpha"] not in were.values()


@pytest.mark.parametrize("messages", [0, 3])
async def test_a_new_mailbox_with_the_number_of_one_that_was_deleted_is_not_taken_for_it(
    sync: Sync, dovecot: Dovecot, user: str, messages: int
) -> None:
    dovecot.append(user, "Alpha", some_messages(3))
    renumber(dovecot, user, "Alpha", 4242)
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        await until_ids(sync, "Alpha", 3)
        await a_whole_round(sync)
        were = await mailbox_ids(sync)
        with dovecot.imap(user) as imap:
            assert imap.delete("Alpha")[0] == "OK"
        await until_shown(sync, lambda found: "Alpha" not in found)
    dovecot.doveadm("mailbox", "create", "-u", user, "Gamma")
    dovecot.append(user, "Gamma", [a_message(f"Another {n}") for n in range(messages)])
    renumber(dovecot, user, "Gamma", 4242)
    async with sync.running(**HURRIED):
        now = await until_shown(sync, lambda found: "Gamma" in found)
        assert now["Gamma"] not in were.values()
        if messages:
            await sync.until_listed(messages, "Gamma")
