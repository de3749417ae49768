"""What people do with their mail, on every server: afterwards the copy is the server's."""

from dataclasses import dataclass
from email.message import EmailMessage
from uuid import UUID

import pytest

from shared.contracts.mail import MailboxRole
from tests.interop.conftest import PATIENCE, Story
from tests.servers.imap_server import CannotDo
from tests.servers.proxy import Proxy
from tests.stories.stack import until


@dataclass
class Door:
    """A port that leads to the server."""

    imap_port: int


def letter(slug: str, *, body: str = "Hello.") -> bytes:
    return (
        f"From: Ada <ada@example.org>\r\nTo: Grace <grace@example.org>\r\nSubject: {slug}\r\n"
        f"Message-ID: <{slug}@example.org>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        f"\r\n{body}\r\n"
    ).encode()


def letters(first: int, count: int, *, of: str = "letter") -> list[bytes]:
    return [letter(f"{of}-{number}") for number in range(first, first + count)]


async def test_the_first_copy_is_what_the_server_has(story: Story) -> None:
    other, server = story.other, story.server
    other.append("INBOX", *letters(0, 30))
    other.append("INBOX", letter("read"), flags="\\Seen \\Answered")
    for levels in (("Projects",), ("Entwürfe & Pläne",), ("日本語", "請求書"), ("Parent", "Child")):
        mailbox = server.mailbox(*levels)
        other.create(mailbox)
        other.append(mailbox, *letters(0, 3, of=levels[-1].encode().hex()))
    async with story.running():
        await story.until_equal()
    listed = {box.path: box.selectable for box in other.boxes()}
    boxes = story.sync.listener.boxes.values()
    assert {box.path: box.selectable for box in boxes if not box.gone} == listed
    assert story.sync.listener.gone == set()


async def test_new_mail_in_inbox_is_heard_of_without_asking(story: Story) -> None:
    if not story.server.idles_well:
        pytest.skip("What came just before IDLE the server tells with whatever comes next.")
    other = story.other
    other.append("INBOX", letter("old"))
    # Nothing is looked at by itself for as long as this test waits.
    async with story.running(poll_seconds=600.0):
        await story.until_equal()
        other.append("INBOX", letter("new"))
        await story.until_equal()
        other.append("INBOX", letter("newer"))
        await story.until_equal()


async def test_new_mail_in_any_mailbox_is_seen(story: Story) -> None:
    other, projects = story.other, story.server.mailbox("Projects")
    other.create(projects)
    async with story.running():
        await story.until_equal()
        other.append(projects, letter("one"))
        await story.until_equal()
        other.append(projects, *letters(0, 5))
        other.append("INBOX", letter("two"))
        await story.until_equal()


async def test_flags_that_another_program_changes_are_seen(story: Story) -> None:
    other, projects = story.other, story.server.mailbox("Projects")
    other.create(projects)
    other.append("INBOX", *letters(0, 5))
    other.append(projects, *letters(5, 5), flags="\\Seen")
    async with story.running():
        await story.until_equal()
        before = story.ids()
        other.mark("INBOX", "letter-1@example.org", "\\Seen \\Flagged")
        other.mark(projects, "letter-6@example.org", "\\Seen", how="-FLAGS")
        await story.until_equal()
        other.mark("INBOX", "letter-1@example.org", "\\Answered", how="FLAGS")
        other.mark(projects, "letter-7@example.org", "\\Flagged \\Draft")
        await story.until_equal()
        await story.until_kept(before)


async def test_keywords_of_peoples_own_are_seen(story: Story) -> None:
    other = story.other
    if not other.keeps_keywords():
        pytest.skip("The server takes no keywords of people's own.")
    other.append("INBOX", *letters(0, 3))
    other.mark("INBOX", "letter-0@example.org", "$Work")
    async with story.running():
        await story.until_equal()
        other.mark("INBOX", "letter-1@example.org", "$Work Urgent")
        other.mark("INBOX", "letter-0@example.org", "$Work", how="-FLAGS")
        await story.until_equal()
        assert "Urgent" in story.copy()["INBOX"]["letter-1@example.org"]


async def test_an_expunged_message_vanishes_and_its_neighbours_stay(story: Story) -> None:
    other, projects = story.other, story.server.mailbox("Projects")
    other.create(projects)
    other.append("INBOX", *letters(0, 5))
    other.append(projects, *letters(5, 5))
    async with story.running():
        await story.until_equal()
        before = story.ids()
        other.expunge("INBOX", "letter-1@example.org")
        other.expunge(projects, "letter-7@example.org")
        await story.until_equal()
        gone = {before.pop("letter-1@example.org"), before.pop("letter-7@example.org")}

        async def vanished() -> bool:
            return story.sync.listener.gone == gone

        await until("both are told to be gone", vanished, seconds=PATIENCE)
        await story.until_kept(before)


async def test_a_moved_message_keeps_its_id(story: Story) -> None:
    other, projects = story.other, story.server.mailbox("Projects")
    other.create(projects)
    other.append("INBOX", *letters(0, 5))
    async with story.running():
        await story.until_equal()
        before = story.ids()
        other.move("INBOX", "letter-2@example.org", projects)
        await story.until_equal()
        other.move("INBOX", "letter-3@example.org", projects)
        other.move(projects, "letter-2@example.org", "INBOX")
        await story.until_equal()
        await story.until_kept(before)


async def test_a_copy_is_a_message_of_its_own_with_the_same_content(story: Story) -> None:
    other, projects = story.other, story.server.mailbox("Projects")
    other.create(projects)
    other.append("INBOX", *letters(0, 3))
    async with story.running():
        await story.until_equal()
        before = story.ids()
        other.copy("INBOX", "letter-1@example.org", projects)
        await story.until_equal()
        await story.until_kept(before, "INBOX")
        whole = story.sync.listener.whole
        original = whole[before["letter-1@example.org"]]
        copy = whole[story.ids(projects)["letter-1@example.org"]]
    assert copy.message_id != original.message_id
    assert copy.content_id == original.content_id


async def test_a_renamed_mailbox_keeps_its_messages(story: Story) -> None:
    other = story.other
    old, new = story.server.mailbox("Projects"), story.server.mailbox("Vorhaben äöü")
    other.create(old)
    other.append(old, *letters(0, 5))
    async with story.running():
        await story.until_equal()
        before = story.ids(old)
        other.rename(old, new)
        await story.until_equal()
        await story.until_kept(before, new)


async def test_a_renamed_mailbox_keeps_its_id(story: Story) -> None:
    other = story.other
    old, new = story.server.mailbox("Projects"), story.server.mailbox("Projects of old")
    child, moved = story.server.mailbox("Lists", "One"), story.server.mailbox("Listen", "One")
    for mailbox in (old, child):
        other.create(mailbox)
        other.append(mailbox, *letters(0, 5, of=mailbox.replace("/", ".")))
    async with story.running():
        await story.until_equal()
        ids, number = (story.mailbox_id(old), story.mailbox_id(child)), other.uidvalidity(old)
        other.rename(old, new)
        other.rename(story.server.mailbox("Lists"), story.server.mailbox("Listen"))
        if other.uidvalidity(new) != number:
            pytest.skip("The server gives a renamed mailbox another UIDVALIDITY.")
        await story.until_equal()
        assert (story.mailbox_id(new), story.mailbox_id(moved)) == ids


async def test_a_deleted_mailbox_takes_its_messages_with_it(story: Story) -> None:
    other, projects = story.other, story.server.mailbox("Projects")
    other.create(projects)
    other.append(projects, *letters(0, 3))
    other.append("INBOX", letter("stays"))
    async with story.running():
        await story.until_equal()
        lost = set(story.ids(projects).values())
        other.delete(projects)
        await story.until_equal()

        async def vanished() -> bool:
            return story.sync.listener.gone == lost

        await until("its messages are told to be gone", vanished, seconds=PATIENCE)


async def test_what_happened_while_sync_was_away_is_found(story: Story) -> None:
    other, projects = story.other, story.server.mailbox("Projects")
    other.create(projects)
    other.append("INBOX", *letters(0, 20))
    other.append(projects, *letters(20, 5))
    async with story.running() as account:
        await story.until_equal()
    before = story.ids()
    change_a_little_of_everything(story)
    async with story.running(account=account):
        await story.until_equal()
        await until_kept_after_changes(story, before)


async def test_what_happened_while_the_line_was_dead_is_found(story: Story) -> None:
    other, projects = story.other, story.server.mailbox("Projects")
    other.create(projects)
    other.append("INBOX", *letters(0, 20))
    other.append(projects, *letters(20, 5))
    async with Proxy.to(story.server.imap_port) as proxy, story.running(Door(proxy.port)):
        await story.until_equal()
        before = story.ids()
        proxy.silence()
        change_a_little_of_everything(story)
        proxy.cut()
        await story.until_equal()
        await until_kept_after_changes(story, before)


def change_a_little_of_everything(story: Story) -> None:
    other = story.other
    projects, later = story.server.mailbox("Projects"), story.server.mailbox("Later")
    other.create(later)
    other.append("INBOX", *letters(100, 3))
    other.mark("INBOX", "letter-1@example.org", "\\Flagged")
    other.mark(projects, "letter-21@example.org", "\\Seen")
    other.expunge("INBOX", "letter-2@example.org")
    other.expunge("INBOX", "letter-19@example.org")
    other.move("INBOX", "letter-3@example.org", projects)
    other.move(projects, "letter-22@example.org", later)
    other.append(later, letter("first"))


async def until_kept_after_changes(story: Story, before: dict[str, UUID]) -> None:
    gone = {"letter-2@example.org", "letter-19@example.org"}
    new = story.ids().keys() - before.keys()
    assert new == {f"letter-{number}@example.org" for number in (100, 101, 102)} | {
        "first@example.org"
    }
    stayed = {message: each for message, each in before.items() if message not in gone}
    await story.until_kept(stayed | {message: story.ids()[message] for message in new})
    assert story.ids(story.server.mailbox("Later")).keys() == {
        "letter-22@example.org",
        "first@example.org",
    }


async def test_a_renumbered_mailbox_keeps_every_id(story: Story) -> None:
    other, projects = story.other, story.server.mailbox("Projects")
    other.create(projects)
    other.append(projects, *letters(0, 20))
    async with story.running() as account:
        await story.until_equal()
        before, number = story.ids(), other.uidvalidity(projects)
    try:
        story.server.renumber(story.user, projects)
    except CannotDo as reason:
        pytest.skip(str(reason))
    assert other.uidvalidity(projects) != number
    other.append(projects, letter("after"))
    async with story.running(account=account):
        await story.until_equal()
        await story.until_kept(before | {"after@example.org": story.ids()["after@example.org"]})


async def test_a_mailbox_made_anew_with_the_same_mail_keeps_every_id(story: Story) -> None:
    other, projects = story.other, story.server.mailbox("Projects")
    other.create(projects)
    other.append(projects, *letters(0, 10))
    async with story.running() as account:
        await story.until_equal()
        before, were = story.ids(), other.email_ids(projects)
    other.delete(projects)
    other.create(projects)
    other.append(projects, *letters(0, 10))
    if other.email_ids(projects) != were:
        pytest.skip("The server says that these are other messages than before (EMAILID).")
    other.append(projects, letter("more"))
    async with story.running(account=account):
        await story.until_equal()
        await story.until_kept(before | {"more@example.org": story.ids()["more@example.org"]})


async def test_a_large_message_is_listed_with_its_words_and_its_attachment(story: Story) -> None:
    message = EmailMessage()
    message["From"], message["Subject"] = "ada@example.org", "The film"
    message["Message-ID"] = "<film@example.org>"
    message.set_content("Here is the film of our holidays.\n")
    film = bytes(range(256)) * 12_000
    message.add_attachment(film, maintype="video", subtype="mp4", filename="Urlaub äöü.mp4")
    story.other.append("INBOX", letter("small"), message.as_bytes(), letter("another"))
    async with story.running():
        await story.until_equal()
    content = story.message("film@example.org").content
    assert content.size_bytes == story.other.size("INBOX", "film@example.org")
    assert "film of our holidays" in content.text
    (attachment,) = content.attachments
    assert (attachment.name, attachment.content_type) == ("Urlaub äöü.mp4", "video/mp4")
    assert attachment.size_bytes == pytest.approx(len(film), rel=0.01)


async def test_mailboxes_are_known_by_what_they_are_for(story: Story) -> None:
    other = story.other
    names = ("Sent", "Drafts", "Trash", "Junk", "Archive")
    there = {box.path for box in other.boxes()}
    for name in names:
        if story.server.mailbox(name) not in there:
            other.create(story.server.mailbox(name))
    other.create(story.server.mailbox("Projects"))
    async with story.running():
        await story.until_equal()
    roles = {box.path: box.role for box in story.sync.listener.boxes.values() if not box.gone}
    assert roles == {
        "INBOX": MailboxRole.INBOX,
        story.server.mailbox("Projects"): None,
        **{story.server.mailbox(name): MailboxRole(name.lower()) for name in names},
    }
