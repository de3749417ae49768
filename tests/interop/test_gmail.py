"""Gmail: one message, one residence; labels are labels."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from shared.contracts.account import ConnectSync
from shared.contracts.intent import Label, Move, Outcome
from shared.contracts.mail import MailboxRole
from tests.interop.conftest import PATIENCE, Story
from tests.interop.servers import GMAIL
from tests.interop.test_stories import letter
from tests.servers.hoodiecrow import Hoodiecrow
from tests.servers.provider import Provider
from tests.stories.stack import until
from tests.sync.consents import connect_by_consent, listed
from tests.sync.wishes import Wishes

pytestmark = pytest.mark.server(GMAIL)


def gmail(story: Story) -> Hoodiecrow:
    assert isinstance(story.server, Hoodiecrow)
    return story.server


def lives(story: Story) -> dict[str, list[tuple[str, frozenset[str]]]]:
    """Where every message that is shown lives, and its labels, by Message-ID."""
    listener = story.sync.listener
    found: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for message_id, message in listener.whole.items():
        state = listener.states[message_id][1]
        if message_id not in listener.gone and state.mailbox_id is not None:
            place = (listener.boxes[state.mailbox_id].path, state.labels)
            found.setdefault(message.content.message_id or "", []).append(place)
    return found


async def until_lives(story: Story, truth: dict[str, list[tuple[str, frozenset[str]]]]) -> None:
    async def settled() -> bool:
        return lives(story) == truth

    try:
        await until("every message lives where it should", settled, seconds=PATIENCE)
    except AssertionError:
        assert lives(story) == truth
        raise


async def test_a_message_with_labels_is_one_message_in_all_mail(story: Story) -> None:
    server = gmail(story)
    server.put(letter("read"), "\\Inbox", "Work", flags=("\\Seen",))
    server.put(letter("archived"))
    server.put(letter("worked"), "Work")
    home = server.all_mail
    async with story.running():
        await until_lives(
            story,
            {
                "read@example.org": [(home, frozenset({"\\Inbox", "Work"}))],
                "archived@example.org": [(home, frozenset())],
                "worked@example.org": [(home, frozenset({"Work"}))],
            },
        )
        assert story.sync.listener.states[story.ids()["read@example.org"]][1].keywords == {"\\Seen"}
    roles = {box.path: box.role for box in story.sync.listener.boxes.values()}
    assert roles[home] == MailboxRole.ALL
    assert roles["[Gmail]/Spam"] == MailboxRole.JUNK
    assert roles[server.trash_mailbox] == MailboxRole.TRASH


async def test_labels_that_change_are_told_and_the_id_stays(story: Story) -> None:
    server = gmail(story)
    one = server.put(letter("one"), "\\Inbox")
    home = server.all_mail
    async with story.running():
        await until_lives(story, {"one@example.org": [(home, frozenset({"\\Inbox"}))]})
        before = story.ids()
        server.label(one, "Work")
        await until_lives(story, {"one@example.org": [(home, frozenset({"Work"}))]})
        server.put(letter("two"), "\\Inbox", "Work")
        await until_lives(
            story,
            {
                "one@example.org": [(home, frozenset({"Work"}))],
                "two@example.org": [(home, frozenset({"\\Inbox", "Work"}))],
            },
        )
        assert story.ids()["one@example.org"] == before["one@example.org"]
    assert story.sync.listener.gone == set()


async def test_a_message_thrown_away_lives_in_trash_under_its_id(story: Story) -> None:
    server = gmail(story)
    one = server.put(letter("one"), "\\Inbox", "Work")
    async with story.running():
        await until_lives(
            story, {"one@example.org": [(server.all_mail, frozenset({"\\Inbox", "Work"}))]}
        )
        before = story.ids()
        server.trash(one)
        await until_lives(story, {"one@example.org": [(server.trash_mailbox, frozenset())]})
        assert story.ids() == before
    assert story.sync.listener.gone == set()


async def test_labels_that_a_person_gives_and_takes_away_are_the_servers(story: Story) -> None:
    server = gmail(story)
    one, two = server.put(letter("one"), "\\Inbox"), server.put(letter("two"), "\\Inbox", "Work")
    home = server.all_mail
    async with story.running() as account:
        await until_lives(
            story,
            {
                "one@example.org": [(home, frozenset({"\\Inbox"}))],
                "two@example.org": [(home, frozenset({"\\Inbox", "Work"}))],
            },
        )
        ids = story.ids()
        wishes = Wishes(story.sync, account)
        # Archiving is to take a message out of the inbox.
        settled = await wishes.gets(
            Label(add=frozenset({"Work"}), remove=frozenset({"\\Inbox"})), *ids.values()
        )
        assert (settled.outcome, settled.exempt) == (Outcome.DONE, ())
        assert {tuple(change.state.labels) for change in settled.messages} == {("Work",)}
        assert server.whereabouts(one) == server.whereabouts(two) == ["Work", home]
        settled = await wishes.gets(
            Label(add=frozenset({"\\Inbox"}), remove=frozenset({"Work"})), ids["one@example.org"]
        )
        assert (settled.outcome, settled.exempt) == (Outcome.DONE, ())
        assert server.whereabouts(one) == ["INBOX", home]
        await until_lives(
            story,
            {
                "one@example.org": [(home, frozenset({"\\Inbox"}))],
                "two@example.org": [(home, frozenset({"Work"}))],
            },
        )
        assert story.ids() == ids


async def test_a_message_that_a_person_throws_away_keeps_its_id(story: Story) -> None:
    server = gmail(story)
    server.put(letter("one"))
    async with story.running() as account:
        await until_lives(story, {"one@example.org": [(server.all_mail, frozenset())]})
        ids = story.ids()
        trash = story.mailbox_id(server.trash_mailbox)
        settled = await Wishes(story.sync, account).gets(
            Move(mailbox_id=trash), ids["one@example.org"]
        )
        assert (settled.outcome, settled.exempt) == (Outcome.DONE, ())
        await story.until_kept(ids, server.trash_mailbox)
    assert story.sync.listener.gone == set()


@asynccontextmanager
async def consented(story: Story, provider: Provider) -> AsyncGenerator[ConnectSync]:
    """The owner of the mailbox has consented; sync keeps it by access tokens (XOAUTH2)."""
    server, known = gmail(story), listed(provider)
    server.takes_tokens_of(provider.introspection)
    async with story.sync.running(role="answer", oauth_providers=known):
        account = await connect_by_consent(story.sync, provider, story.user, server)
        async with story.running(account=account, oauth_providers=known):
            yield account


async def test_a_mailbox_is_read_by_token_and_goes_on_with_the_next_one(
    story: Story, provider: Provider
) -> None:
    server = gmail(story)
    server.put(letter("before"), "\\Inbox")
    home, inbox = server.all_mail, frozenset({"\\Inbox"})
    async with consented(story, provider):
        await until_lives(story, {"before@example.org": [(home, inbox)]})
        before = story.ids()
        assert provider.refreshes == 0, "the token that came with the consent is good"
        provider.expire(story.user)
        server.put(letter("after"), "\\Inbox")
        server.hang_up()
        truth = {f"{each}@example.org": [(home, inbox)] for each in ("before", "after")}
        await until_lives(story, truth)
        assert story.ids().items() >= before.items()
    assert (provider.refreshes, provider.refused) == (1, 0)


async def test_a_token_that_gmail_refuses_is_told_in_plain_words(
    story: Story, provider: Provider
) -> None:
    server = gmail(story)
    async with consented(story, provider):
        server.takes_tokens_of(None)
        server.hang_up()
        told = await story.sync.until_state("reauth_required")
    assert told.reason == "token_refused"
    assert "status 400, scope https://mail.google.com/" in (told.server_said or "")
    assert not [token for token in provider.tokens if token in (told.server_said or "")]


async def test_a_consent_withdrawn_at_gmail_waits_for_another(
    story: Story, provider: Provider
) -> None:
    server = gmail(story)
    server.put(letter("before"), "\\Inbox")
    async with consented(story, provider) as account:
        await until_lives(
            story, {"before@example.org": [(server.all_mail, frozenset({"\\Inbox"}))]}
        )
        before = story.ids()
        provider.withdraw(story.user)
        server.hang_up()
        told = await story.sync.until_state("reauth_required")
        assert told.reason == "consent_ended"
        await connect_by_consent(story.sync, provider, story.user, server, known=account)
        await story.sync.until_state("live")
        assert story.ids() == before
