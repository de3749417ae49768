"""The same calls, answered by a real server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from services.sync.domain.covered import EVERY_UID, Span
from services.sync.imap import (
    AuthFailed,
    Endpoint,
    Exists,
    NoSuchMailbox,
    Refused,
    Session,
    Untrusted,
    Woken,
    connect,
)
from shared.contracts.account import Security
from shared.contracts.mail import MailboxRole
from tests.corpora import messages
from tests.servers.dovecot import PASSWORD, Dovecot, Mail
from tests.sync.imap.scripted import dial

RAW = b"From: ada@example.org\r\nSubject: hello\r\nMessage-ID: <%d@example.org>\r\n\r\nbody\r\n"


@asynccontextmanager
async def session_with(
    dovecot: Dovecot, user: str, *, security: Security = Security.NONE
) -> AsyncIterator[Session]:
    port = dovecot.imaps_port if security is Security.TLS else dovecot.imap_port
    trusted = ssl.create_default_context(cafile=str(dovecot.certificate))
    trusted.check_hostname = False
    endpoint = Endpoint(host="127.0.0.1", port=port, security=security)
    async with connect(endpoint, dial=dial, tls=trusted) as session:
        await session.login(user, PASSWORD)
        yield session


@pytest.mark.parametrize("security", list(Security))
async def test_every_kind_of_connection_is_made(dovecot: Dovecot, security: Security):
    async with session_with(dovecot, dovecot.new_user(), security=security) as session:
        assert {"IDLE", "CONDSTORE", "UIDPLUS"} <= session.capabilities
        assert (await session.id({"name": "Postbus"}))["name"] == "Dovecot"
        await session.noop()


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_a_certificate_nobody_vouches_for_is_not_trusted(
    dovecot: Dovecot, security: Security
):
    port = dovecot.imaps_port if security is Security.TLS else dovecot.imap_port
    with pytest.raises(Untrusted, match="certificate"):
        async with connect(Endpoint(host="127.0.0.1", port=port, security=security), dial=dial):
            pass


async def test_a_wrong_password_is_told_in_the_words_of_the_server(dovecot: Dovecot):
    endpoint = Endpoint(host="127.0.0.1", port=dovecot.imap_port, security=Security.NONE)
    with pytest.raises(AuthFailed, match="Authentication failed") as raised:
        async with connect(endpoint, dial=dial) as session:
            await session.login(dovecot.new_user(), "wröng\r\n")
    assert raised.value.code == "AUTHENTICATIONFAILED"


async def test_mailboxes_with_any_name_are_listed_opened_and_counted(dovecot: Dovecot):
    user = dovecot.new_user()
    names = ["Entwürfe/日本語 & co", 'a"b', "😀"]
    for name in names:
        dovecot.append(user, name, [RAW % 1])
    async with session_with(dovecot, user) as session:
        listed = {each.path: each for each in await session.list_mailboxes()}
        assert {"INBOX", "Sent", "Trash", *names} <= set(listed)
        assert listed["Sent"].role is MailboxRole.SENT
        assert listed["INBOX"].role is MailboxRole.INBOX
        assert {each.delimiter for each in listed.values()} == {"/"}
        for name in names:
            selected = await session.select(listed[name].raw_name, readonly=True)
            assert (selected.exists, selected.uidnext, selected.readonly) == (1, 2, True)
            assert selected.highestmodseq is not None
            assert await session.select(name, readonly=True) == selected
        counted = await session.status([*names, "gone"])
        assert {name: each.messages for name, each in counted.items()} == dict.fromkeys(names, 1)
        with pytest.raises(Refused, match="gone"):
            await session.select("gone", readonly=True)
        assert (await session.select("INBOX", readonly=False)).exists == 0


async def test_thousands_of_messages_are_listed_marked_and_fetched(dovecot: Dovecot):
    user = dovecot.new_user()
    when = datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC)
    dovecot.append(
        user, "INBOX", [Mail(RAW % n, ("\\Seen",) if n % 2 else (), when) for n in range(5_000)]
    )
    async with session_with(dovecot, user) as session:
        await session.select("INBOX", readonly=True)
        assert list(await session.uids(EVERY_UID)) == list(range(1, 5_001))
        assert list(await session.uids(Span(5_001, EVERY_UID.last))) == []
        marks = [each async for page in session.flags(EVERY_UID) for each in page]
        assert [each.uid for each in marks] == list(range(1, 5_001))
        assert sum("\\Seen" in each.flags for each in marks) == 2_500
        assert all(each.modseq for each in marks)
        fetched = {each.uid: each async for each in session.fetch(range(1, 5_001))}
        assert {uid: each.raw for uid, each in fetched.items()} == {
            n + 1: RAW % n for n in range(5_000)
        }
        assert {each.internal_date for each in fetched.values()} == {when}
        assert await session.search_message_id("<41@example.org>") == [42]
        assert session.take_news() == []


async def test_what_is_filed_is_there_with_its_marks_and_date(dovecot: Dovecot):
    user = dovecot.new_user()
    raw = RAW % 7 + b"x" * 300_000 + "ü {3}\r\n".encode()
    when = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    async with session_with(dovecot, user) as session:
        filed = await session.append("Sent", raw, flags=["\\Seen", "$Forwarded"], date=when)
        assert filed is not None
        selected = await session.select("Sent", readonly=True)
        assert selected.uidvalidity == filed.uidvalidity
        (only,) = [each async for each in session.fetch([filed.uid])]
        assert (only.raw, only.internal_date) == (raw, when)
        assert {"\\Seen", "$Forwarded"} <= only.flags
        with pytest.raises(NoSuchMailbox):
            await session.append("gone", raw)
        await session.noop()


async def test_a_delivery_wakes_who_waits(dovecot: Dovecot):
    user = dovecot.new_user()
    async with session_with(dovecot, user) as session:
        await session.select("INBOX", readonly=True)
        waiting = asyncio.create_task(session.idle(20))
        await asyncio.to_thread(dovecot.append, user, "INBOX", [RAW % 1])
        async with asyncio.timeout(10):
            assert await waiting is Woken.NEWS
        assert Exists(1) in session.take_news()
        assert list(await session.uids(EVERY_UID)) == [1]


async def test_messages_expunged_while_we_fetch_are_missing_and_nothing_else(dovecot: Dovecot):
    user = dovecot.new_user()
    uids = dovecot.append(user, "INBOX", [RAW % n + b"x" * 50_000 for n in range(400)])
    async with session_with(dovecot, user) as session:
        await session.select("INBOX", readonly=True)
        came: list[int] = []
        async for each in session.fetch(uids, batch=10, in_flight=2):
            came.append(each.uid)
            if len(came) == 1:
                await asyncio.to_thread(_expunge, dovecot, user, "301:400")
        assert came[:300] == uids[:300]
        assert list(await session.uids(EVERY_UID)) == uids[:300]
        await session.noop()


def _expunge(dovecot: Dovecot, user: str, uids: str) -> None:
    with dovecot.imap(user) as connection:
        connection.select("INBOX")
        connection.uid("STORE", uids, "+FLAGS.SILENT", "(\\Deleted)")
        connection.expunge()


async def test_a_command_that_is_not_understood_is_refused_and_no_more(dovecot: Dovecot):
    async with session_with(dovecot, dovecot.new_user()) as session:
        with pytest.raises(Refused):
            await session.append("Sent", b"", flags=["\\NotASystemFlag"])
        await session.noop()


async def test_every_real_message_comes_as_it_is_kept(dovecot: Dovecot):
    corpus = messages()
    if not corpus:
        pytest.skip("the corpora are not beside the project")
    user = dovecot.new_user()
    uids = dovecot.append(user, "INBOX", [raw for _, raw in corpus])
    async with session_with(dovecot, user) as session:
        await session.select("INBOX", readonly=True)
        fetched = {each.uid: each.raw async for each in session.fetch(uids)}
    assert fetched == dovecot.messages(user)
    assert len(fetched) == len(corpus)
