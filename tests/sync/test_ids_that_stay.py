"""A message keeps its id wherever it goes, and nobody takes it for another."""

from collections.abc import Callable, Iterable
from uuid import UUID

from tests.chaos.liar import Answer, Liar
from tests.servers.dovecot import Dovecot
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.test_copy import a_message, some_messages

HURRIED = {"poll_seconds": 0.5, "retry_longest_seconds": 0.5}


async def ids(sync: Sync, path: str) -> dict[int, UUID]:
    """The ids of what is kept of a mailbox, by UID."""
    rows = await sync.database.fetch(
        """
        SELECT uid, message_id FROM message JOIN mailbox USING (mailbox_id)
         WHERE path = $1 AND uid IS NOT NULL AND gone_at IS NULL ORDER BY uid
        """,
        path,
    )
    return {row["uid"]: row["message_id"] for row in rows}


async def until_ids(sync: Sync, path: str, count: int) -> dict[int, UUID]:
    async def kept() -> dict[int, UUID] | None:
        found = await ids(sync, path)
        return found if len(found) == count else None

    return await until(f"{count} messages are kept in {path}", kept)


async def a_whole_round(sync: Sync) -> None:
    """A round that began after now went through."""
    now = await sync.database.fetchval("SELECT now()")

    async def over() -> bool:
        began = await sync.database.fetchval("SELECT round_began_at FROM account_state")
        return began is not None and began > now

    await until("a round", over)


async def until_gone(sync: Sync, which: set[UUID]) -> None:
    async def gone() -> bool:
        return sync.listener.gone >= which

    await until("they vanished", gone)
    assert sync.listener.gone == which


async def until_adrift(sync: Sync, which: set[UUID]) -> None:
    async def are_adrift() -> bool:
        rows = await sync.database.fetch("SELECT message_id FROM message WHERE mailbox_id IS NULL")
        return {row["message_id"] for row in rows} == which

    await until("they have no place", are_adrift)


def copy(dovecot: Dovecot, user: str, uids: str, path: str, to: str) -> None:
    with dovecot.imap(user) as imap:
        imap.select(path)
        assert imap.uid("COPY", uids, to)[0] == "OK"


def expunge(dovecot: Dovecot, user: str, uids: str, path: str) -> None:
    with dovecot.imap(user) as imap:
        imap.select(path)
        imap.uid("STORE", uids, "+FLAGS", "(\\Deleted)")
        assert imap.uid("EXPUNGE", uids)[0] == "OK"


# -- copies and moves ------------------------------------------------------------------------------


async def test_a_copy_keeps_its_id_when_the_line_breaks_before_its_original_is_given_up(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(1))
    async with Liar.before(dovecot.imap_port) as door, sync.running():
        await sync.connect(user, door)
        original = await until_ids(sync, "INBOX", 1)
        copy(dovecot, user, "1", "INBOX", "Archive")
        copied = await until_ids(sync, "Archive", 1)
        await a_whole_round(sync)
        expunge(dovecot, user, "1", "INBOX")
        await until_adrift(sync, set(original.values()))
        door.repent()  # whoever was here has to come again
        await until_gone(sync, set(original.values()))
        assert await ids(sync, "Archive") == copied


async def test_a_copy_keeps_its_id_when_another_replica_gives_its_original_up(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(1))
    async with sync.running():
        await sync.connect(user, dovecot)
        original = await until_ids(sync, "INBOX", 1)
        copy(dovecot, user, "1", "INBOX", "Archive")
        copied = await until_ids(sync, "Archive", 1)
        await a_whole_round(sync)
        expunge(dovecot, user, "1", "INBOX")
        await until_adrift(sync, set(original.values()))
    async with sync.running():
        await until_gone(sync, set(original.values()))
        assert await ids(sync, "Archive") == copied


async def test_of_two_copies_the_one_that_moved_and_the_one_that_stayed_keep_their_ids(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Archive", some_messages(1))
    copy(dovecot, user, "1", "Archive", "Trash")
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        stays = await until_ids(sync, "Archive", 1)
        moves = await until_ids(sync, "Trash", 1)
        await a_whole_round(sync)
    with dovecot.imap(user) as imap:
        imap.select("Trash")
        assert imap.uid("MOVE", "1", "INBOX")[0] == "OK"
    # Trash holds as many as before: INBOX is read first, and the move is seen at its end.
    dovecot.append(user, "Trash", [a_message("Another")])
    async with sync.running(**HURRIED):

        async def moved() -> bool:
            return await ids(sync, "INBOX") == moves

        await until("what moved has its id again", moved)
        assert await ids(sync, "Archive") == stays
    assert not sync.listener.gone & {*moves.values(), *stays.values()}


# -- renumbered mailboxes --------------------------------------------------------------------------


def without(name: bytes) -> Callable[[], Callable[[Answer], Iterable[bytes]]]:
    """A server whose lists and counters do not know of this mailbox."""

    def tell(answer: Answer) -> Iterable[bytes]:
        unknown = answer.head.startswith((b"* LIST", b"* STATUS")) and name in answer.head
        return [] if unknown else [answer.raw]

    return lambda: tell


def rename_and_make_anew(dovecot: Dovecot, user: str, path: str, to: str) -> None:
    with dovecot.imap(user) as imap:
        assert imap.rename(path, to)[0] == "OK"
        assert imap.create(path)[0] == "OK"


async def test_a_mailbox_that_turns_up_late_under_another_name_brings_its_messages_ids(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Zebra", some_messages(3))
    async with Liar.before(dovecot.imap_port) as server:
        async with sync.running(**HURRIED):
            await sync.connect(user, server)
            before = await until_ids(sync, "Zebra", 3)
            await a_whole_round(sync)
        rename_and_make_anew(dovecot, user, "Zebra", "Beta")
        server.lie = without(b"Beta")
        async with sync.running(**HURRIED):
            await until_adrift(sync, set(before.values()))
            for _ in range(3):
                await a_whole_round(sync)

            async def hidden() -> bool:
                return sync.listener.listed() == {}

            await until("they are listed nowhere", hidden)
            server.repent()
            assert await until_ids(sync, "Beta", 3) == before

            async def shown() -> bool:
                return set(sync.listener.listed("Beta").values()) == set(before.values())

            await until("they are listed again", shown)
            await a_whole_round(sync)
    assert sync.listener.gone == set()


async def test_what_is_nowhere_after_a_mailbox_was_renumbered_vanishes_in_the_end(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Zebra", some_messages(3))
    async with sync.running(**HURRIED):
        await sync.connect(user, dovecot)
        before = await until_ids(sync, "Zebra", 3)
        await a_whole_round(sync)
    with dovecot.imap(user) as imap:
        imap.delete("Zebra")
        imap.create("Zebra")
    async with sync.running(**HURRIED):
        await until_adrift(sync, set(before.values()))
        await a_whole_round(sync)
        assert sync.listener.gone == set()
        patience = await sync.database.fetchval("SELECT min(sought_until) - now() FROM message")
        assert patience.total_seconds() > 60
        await sync.database.execute(
            "UPDATE message SET sought_until = sought_until - $1::interval", patience
        )
        await until_gone(sync, set(before.values()))
    assert await sync.database.fetchval("SELECT count(*) FROM message") == 0
