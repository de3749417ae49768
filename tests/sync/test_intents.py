"""Changes that people asked for, carried to real servers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from shared.contracts.intent import (
    Copy,
    CreateMailbox,
    DeleteMailbox,
    Destroy,
    IntentSettled,
    Mark,
    Move,
    Outcome,
    RenameMailbox,
    SubscribeMailbox,
)
from tests.servers.dovecot import Dovecot, Mail
from tests.servers.process import short_directory
from tests.servers.pymap import Pymap
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.wishes import connected, flags_of, mailbox_id, raw, subjects, uid_of, until_taken


@pytest.fixture
def without_move() -> Iterator[Dovecot]:
    with (
        short_directory("postbus-move-") as directory,
        Dovecot(directory, capability="IMAP4rev1 UIDPLUS LITERAL+ IDLE") as server,
    ):
        yield server


@pytest.fixture
def without_uidplus() -> Iterator[Dovecot]:
    with (
        short_directory("postbus-plain-") as directory,
        Dovecot(directory, capability="IMAP4rev1 LITERAL+ IDLE") as server,
    ):
        yield server


async def test_a_message_is_marked_on_the_server_and_known_marked_so(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [raw("one"), Mail(raw("two"), flags=("\\Seen",))])
    async with sync.running():
        wishes = await connected(sync, user, dovecot)
        ids = await sync.until_listed(2)
        await sync.until_state("live")
        settled = await wishes.gets(
            Mark(add=frozenset({"\\Flagged", "$Forwarded"}), remove=frozenset({"\\Seen"})),
            *ids.values(),
        )
    assert (settled.outcome, settled.exempt) == (Outcome.DONE, ())
    assert flags_of(dovecot, user, "one") == {"\\Flagged", "$Forwarded"}
    assert flags_of(dovecot, user, "two") == {"\\Flagged", "$Forwarded"}
    for one in settled.messages:
        assert one.state.keywords == {"\\Flagged", "$Forwarded"}
        assert sync.listener.states[one.message_id] == (one.revision, one.state)


async def test_a_live_account_does_it_before_the_next_poll(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [raw("one")])
    async with sync.running(poll_seconds=600.0, heartbeat_seconds=60.0, lease_seconds=300.0):
        wishes = await connected(sync, user, dovecot)
        ids = await sync.until_listed(1)
        await sync.until_state("live")
        for flag in ("\\Seen", "\\Flagged", "$Junk"):
            await wishes.gets(Mark(add=frozenset({flag})), ids["one"])
    assert flags_of(dovecot, user, "one") == {"\\Seen", "\\Flagged", "$Junk"}


async def test_intents_of_one_message_are_carried_out_in_their_order(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [raw("one")])
    async with sync.running():
        wishes = await connected(sync, user, dovecot)
        ids = await sync.until_listed(1)
        await sync.until_state("live")
        seen = Mark(add=frozenset({"\\Seen"}))
        unseen = Mark(remove=frozenset({"\\Seen"}))
        # The second comes first; the first is on its way.
        late = await wishes.wants(seen, ids["one"], seq=2)
        early = await wishes.wants(unseen, ids["one"], seq=1)
        await wishes.until_settled(early)
        await wishes.until_settled(late)
    assert flags_of(dovecot, user, "one") == {"\\Seen"}


async def test_a_moved_message_keeps_its_id(sync: Sync, dovecot: Dovecot, user: str) -> None:
    await a_move(sync, dovecot, user)


async def test_a_server_without_move_moves_by_copying(sync: Sync, without_move: Dovecot) -> None:
    settled = await a_move(sync, without_move, without_move.new_user())
    assert settled.reason is None


@pytest.fixture
def pymap() -> Iterator[Pymap]:
    with short_directory("postbus-pymap-") as directory, Pymap(directory) as server:
        yield server


async def test_a_message_keeps_its_id_on_a_server_without_condstore(
    sync: Sync, pymap: Pymap
) -> None:
    user = pymap.new_user()
    with pymap.imap(user) as other:
        other.create("Archive")
        for one in ("one", "two"):
            other.append("INBOX", None, None, raw(one))
    async with sync.running():
        wishes = await connected(sync, user, pymap)
        ids = await sync.until_listed(2)
        await sync.until_state("live")
        marked = await wishes.gets(Mark(add=frozenset({"\\Seen"})), ids["one"])
        assert (marked.outcome, marked.exempt) == (Outcome.DONE, ())
        archive = mailbox_id(sync, "Archive")
        moved = await wishes.gets(Move(mailbox_id=archive), ids["one"])
        assert (moved.outcome, moved.exempt) == (Outcome.DONE, ())
        found = await sync.until_listed(1, "Archive")
        assert found == {"one": ids["one"]}
        removed = await wishes.gets(Destroy(), ids["two"])
        assert removed.outcome is Outcome.DONE


async def a_move(sync: Sync, server: Dovecot, user: str) -> IntentSettled:
    server.append(user, "INBOX", [raw("one"), raw("two"), raw("stays")])
    async with sync.running():
        wishes = await connected(sync, user, server)
        ids = await sync.until_listed(3)
        await sync.until_state("live")
        archive = mailbox_id(sync, "Archive")
        settled = await wishes.gets(Move(mailbox_id=archive), ids["one"], ids["two"])
        assert (settled.outcome, settled.exempt) == (Outcome.DONE, ())
        assert {one.message_id: one.state.mailbox_id for one in settled.messages} == {
            ids["one"]: archive,
            ids["two"]: archive,
        }
        assert subjects(server, user, "Archive") == {"one", "two"}
        assert subjects(server, user) == {"stays"}
        # What is found there afterwards are the same messages.
        server.append(user, "Archive", [raw("later")])
        found = await sync.until_listed(3, "Archive")
        assert (found["one"], found["two"]) == (ids["one"], ids["two"])
    assert not sync.listener.gone
    return settled


async def test_a_server_without_uidplus_is_never_told_to_expunge_all(
    sync: Sync, without_uidplus: Dovecot
) -> None:
    server, user = without_uidplus, without_uidplus.new_user()
    with server.imap(user) as other:
        for one in ("one", "other", "doomed"):
            other.append("INBOX", None, None, raw(one))
        other.create("Archive")
    async with sync.running():
        wishes = await connected(sync, user, server)
        ids = await sync.until_listed(3)
        await sync.until_state("live")
        archive = mailbox_id(sync, "Archive")
        moved = await wishes.gets(Move(mailbox_id=archive), ids["one"])
        removed = await wishes.gets(Destroy(), ids["doomed"])
    assert (moved.outcome, moved.reason) == (Outcome.DONE, "left_marked_deleted")
    assert (removed.outcome, removed.reason) == (Outcome.DONE, "left_marked_deleted")
    assert subjects(server, user, "Archive") == {"one"}
    assert flags_of(server, user, "one") == {"\\Deleted"}
    assert flags_of(server, user, "doomed") == {"\\Deleted"}
    assert flags_of(server, user, "other") == set()
    assert subjects(server, user) == {"one", "other", "doomed"}


async def test_a_destroyed_message_is_gone_and_others_marked_so_are_not(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [raw("one"), Mail(raw("marked"), flags=("\\Deleted",))])
    async with sync.running():
        wishes = await connected(sync, user, dovecot)
        ids = await sync.until_listed(2)
        await sync.until_state("live")
        settled = await wishes.gets(Destroy(), ids["one"])
    assert settled.outcome is Outcome.DONE
    assert [one.message_id for one in settled.vanished] == [ids["one"]]
    assert subjects(dovecot, user) == {"marked"}


async def test_a_copy_is_a_message_of_its_own(sync: Sync, dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, "INBOX", [raw("one")])
    async with sync.running():
        wishes = await connected(sync, user, dovecot)
        ids = await sync.until_listed(1)
        await sync.until_state("live")
        settled = await wishes.gets(Copy(mailbox_id=mailbox_id(sync, "Archive")), ids["one"])
        found = await sync.until_listed(1, "Archive")
    assert settled.outcome is Outcome.DONE
    assert found["one"] != ids["one"]
    assert subjects(dovecot, user) == {"one"}


async def test_copies_are_taken_back_but_for_one_that_went_elsewhere_since(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [raw("one"), raw("two")])
    dovecot.append(user, "Archive", [raw("old")])
    async with sync.running():
        wishes = await connected(sync, user, dovecot)
        ids = await sync.until_listed(3)
        await sync.until_state("live")
        archive, trash = mailbox_id(sync, "Archive"), mailbox_id(sync, "Trash")
        copy = await wishes.wants(Copy(mailbox_id=archive), ids["one"], ids["two"])
        assert (await wishes.until_settled(copy)).outcome is Outcome.DONE
        copies = await sync.until_listed(3, "Archive")
        await wishes.gets(Move(mailbox_id=trash), copies["two"])
        undo = await wishes.wants(None, undoes=copy)
        assert (await wishes.until_settled(undo)).outcome is Outcome.DONE
        again = await wishes.gets(None, undoes=undo)
        assert await sync.until_listed(1, "Archive") == {"old": ids["old"]}
    assert (again.outcome, again.reason) == (Outcome.REFUSED, "already_carried_out")
    assert subjects(dovecot, user) == {"one", "two"}
    assert subjects(dovecot, user, "Archive") == {"old"}
    assert subjects(dovecot, user, "Trash") == {"two"}
    assert sync.listener.gone == {copies["one"]}


async def test_a_copy_that_is_taken_back_stays_marked_where_nothing_is_removed_by_uid(
    sync: Sync, without_uidplus: Dovecot
) -> None:
    user = without_uidplus.new_user()
    without_uidplus.append(user, "INBOX", [raw("one")])
    async with sync.running():
        wishes = await connected(sync, user, without_uidplus)
        ids = await sync.until_listed(1)
        await sync.until_state("live")
        copy = await wishes.wants(Copy(mailbox_id=mailbox_id(sync, "Archive")), ids["one"])
        assert (await wishes.until_settled(copy)).outcome is Outcome.DONE
        undo = await wishes.gets(None, undoes=copy)
    assert (undo.outcome, undo.reason) == (Outcome.DONE, "left_marked_deleted")
    assert "\\Deleted" in flags_of(without_uidplus, user, "one", "Archive")
    assert flags_of(without_uidplus, user, "one") == set()


@pytest.mark.parametrize("capability", ["", "IMAP4rev1 UIDPLUS LITERAL+ IDLE"])
async def test_a_flag_that_somebody_else_changed_meanwhile_stays_as_they_left_it(
    sync: Sync, capability: str
) -> None:
    with (
        short_directory("postbus-flags-") as directory,
        Dovecot(directory, capability=capability) as server,
    ):
        user = server.new_user()
        server.append(user, "INBOX", [raw("theirs"), raw("ours")])
        async with sync.running():
            wishes = await connected(sync, user, server)
            ids = await sync.until_listed(2)
            await sync.until_state("live")
        # While nobody listens, one is flagged; the wish not to have it so is older than that.
        with server.imap(user) as other:
            other.select("INBOX")
            other.uid("STORE", str(uid_of(server, user, "theirs")), "+FLAGS", "(\\Flagged)")
        intent = await wishes.wants(
            Mark(add=frozenset({"\\Seen"}), remove=frozenset({"\\Flagged"})), *ids.values()
        )
        async with sync.running():
            settled = await wishes.until_settled(intent)
        assert settled.outcome is Outcome.DONE
        assert {one.message_id: (one.outcome, one.reason) for one in settled.exempt} == {
            ids["theirs"]: (Outcome.SUPERSEDED, "changed_on_server")
        }
        assert flags_of(server, user, "theirs") == {"\\Flagged", "\\Seen"}
        assert flags_of(server, user, "ours") == {"\\Seen"}
        told = {one.message_id: one.state.keywords for one in settled.messages}
        assert told[ids["theirs"]] == {"\\Flagged", "\\Seen"}


async def test_a_message_that_went_meanwhile_is_left_where_the_server_has_it(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [raw("gone"), raw("moved"), raw("here")])
    async with sync.running():
        wishes = await connected(sync, user, dovecot)
        ids = await sync.until_listed(3)
        await sync.until_state("live")
    with dovecot.imap(user) as other:
        other.select("INBOX")
        other.uid("MOVE", str(uid_of(dovecot, user, "moved")), "Trash")
        other.uid("STORE", str(uid_of(dovecot, user, "gone")), "+FLAGS", "(\\Deleted)")
        other.expunge()
    intent = await wishes.wants(Move(mailbox_id=mailbox_id(sync, "Archive")), *ids.values())
    async with sync.running():
        settled = await wishes.until_settled(intent)
    assert {one.message_id: one.outcome for one in settled.exempt} == {
        ids["gone"]: Outcome.SUPERSEDED,
        ids["moved"]: Outcome.SUPERSEDED,
    }
    assert subjects(dovecot, user, "Archive") == {"here"}
    assert subjects(dovecot, user, "Trash") == {"moved"}


async def test_what_waits_is_carried_out_when_the_server_is_back(sync: Sync) -> None:
    with short_directory("postbus-away-") as directory, Dovecot(directory) as server:
        user = server.new_user()
        server.append(user, "INBOX", [raw("one")])
        async with sync.running():
            wishes = await connected(sync, user, server)
            ids = await sync.until_listed(1)
            await sync.until_state("live")
            server.stop()
            await sync.until_state("unreachable")
            intent = await wishes.wants(Mark(add=frozenset({"\\Seen"})), ids["one"])
            await until_taken(sync, intent)
        # Everything starts anew, and the server is still away.
        async with sync.running():
            server.start()
            settled = await wishes.until_settled(intent)
        assert settled.outcome is Outcome.DONE
        assert flags_of(server, user, "one") == {"\\Seen"}


async def test_what_is_undone_before_it_was_begun_never_happens(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [raw("one")])
    async with sync.running():
        wishes = await connected(sync, user, dovecot)
        ids = await sync.until_listed(1)
        await sync.until_state("live")
        later = datetime.now(UTC) + timedelta(hours=1)
        destroy = await wishes.wants(Destroy(), ids["one"], not_before=later)
        undo = await wishes.gets(None, undoes=destroy)
        assert (await wishes.until_settled(destroy)).outcome is Outcome.CANCELED
        assert undo.outcome is Outcome.DONE
        # What is held is in nobody's way, and is done when its time comes.
        soon = datetime.now(UTC) + timedelta(seconds=1)
        destroy = await wishes.wants(Destroy(), ids["one"], not_before=soon)
        await wishes.gets(Mark(add=frozenset({"\\Seen"})), ids["one"])
        assert (await wishes.until_settled(destroy)).outcome is Outcome.DONE
        too_late = await wishes.gets(None, undoes=destroy)
    assert (too_late.outcome, too_late.reason) == (Outcome.REFUSED, "already_carried_out")
    assert subjects(dovecot, user) == set()


async def test_mailboxes_are_made_renamed_subscribed_to_and_removed(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Projects/Old", [raw("one")])
    async with sync.running():
        wishes = await connected(sync, user, dovecot)
        ids = await sync.until_listed(1)
        await sync.until_state("live")
        new = uuid7()
        made = await wishes.gets(None, mailbox=CreateMailbox(mailbox_id=new, path="Räume"))
        assert made.outcome is Outcome.DONE
        assert "Räume" in dovecot.mailboxes(user)
        old = mailbox_id(sync, "Projects/Old")
        renamed = await wishes.gets(None, mailbox=RenameMailbox(mailbox_id=old, path="Räume/Neu"))
        assert renamed.outcome is Outcome.DONE
        assert "Räume/Neu" in dovecot.mailboxes(user)
        assert sync.listener.boxes[old].path == "Räume/Neu"
        await wishes.gets(None, mailbox=SubscribeMailbox(mailbox_id=old, subscribed=False))
        assert sync.listener.boxes[old].subscribed is False
        twice = await wishes.gets(None, mailbox=RenameMailbox(mailbox_id=old, path="Archive"))
        assert (twice.outcome, twice.reason) == (Outcome.REFUSED, "already_exists")
        assert (await sync.until_listed(1))["one"] == ids["one"]
        removed = await wishes.gets(None, mailbox=DeleteMailbox(mailbox_id=old))
        assert removed.outcome is Outcome.DONE

        async def empty() -> bool:
            return not sync.listener.listed()

        await until("what was in it is gone", empty)
        assert "Räume/Neu" not in dovecot.mailboxes(user)
        assert sync.listener.boxes[new].path == "Räume"
        assert not sync.listener.boxes[new].gone


async def test_nobody_changes_what_is_in_another_account(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [raw("hers")])
    other = dovecot.new_user()
    async with sync.running():
        await connected(sync, user, dovecot)
        ids = await sync.until_listed(1)
        await sync.until_state("live")
        sync.listener.doing = None  # from here on it is the other account's
        eve = await connected(sync, other, dovecot)
        await sync.until_state("live")
        settled = await eve.gets(Destroy(), ids["hers"])
        assert [one.reason for one in settled.exempt] == ["message_gone"]
        assert (settled.messages, settled.vanished) == ((), ())
        into = await eve.gets(Move(mailbox_id=mailbox_id(sync, "INBOX")), ids["hers"])
        assert (into.messages, into.vanished) == ((), ())
    assert subjects(dovecot, user) == {"hers"}
