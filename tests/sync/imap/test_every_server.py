"""The same questions put to every mail server there is a recipe for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.sync.domain.covered import EVERY_UID, Covered
from services.sync.imap import Elsewhere, Endpoint, FlagsOf, Session, Timeouts, Woken, connect
from shared.contracts.account import Security
from shared.contracts.mail import MailboxRole
from tests.servers.courier import Courier
from tests.servers.cyrus import Cyrus
from tests.servers.dovecot import Dovecot, crlf, quote
from tests.servers.hoodiecrow import Hoodiecrow
from tests.servers.imap_server import ImapServer
from tests.servers.process import ServerUnavailable, short_directory
from tests.servers.pymap import Pymap
from tests.sync.imap.scripted import dial

PLAIN = "IMAP4rev1 UIDPLUS ID"
SOME = "IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+ CONDSTORE ESEARCH UIDPLUS SPECIAL-USE"
ZLIB = "protocol imap {\n mail_plugins = $mail_plugins imap_zlib\n}\n"
# Where the machine has no inotify left for it, Dovecot looks by itself, so often.
WATCHING = "mailbox_idle_check_interval = 1 secs\n"

SERVERS: dict[str, tuple[type[ImapServer], Callable[[Path], ImapServer]]] = {
    "dovecot": (Dovecot, lambda directory: Dovecot(directory, extra=ZLIB + WATCHING)),
    "dovecot-some": (
        Dovecot,
        lambda directory: Dovecot(directory, capability=SOME, extra=WATCHING),
    ),
    "dovecot-plain": (
        Dovecot,
        lambda directory: Dovecot(directory, storage="maildir", capability=PLAIN),
    ),
    "pymap": (Pymap, Pymap),
    "cyrus": (Cyrus, Cyrus),
    "courier": (Courier, Courier),
    "hoodiecrow": (Hoodiecrow, Hoodiecrow),
}

FOLDED = b"Message-ID: <%d@example.org>\r\nFrom: ada@example.org\r\nSubject: so\r\n and on\r\n"
DATED = b"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
MIXED = b"""MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain; charset=utf-8

hello
--b
Content-Type: application/pdf; name="a.pdf"
Content-Disposition: attachment; filename="a.pdf"
Content-Transfer-Encoding: base64

YQ==
--b
Content-Type: message/rfc822

Subject: inside

inner
--b--
"""


def raw(number: int, body: bytes = b"\r\nbody\r\n") -> bytes:
    return FOLDED % number + DATED + crlf(body)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[ImapServer]:
    kind, start = SERVERS[request.param]
    try:
        kind.require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    with short_directory(f"postbus-{kind.__name__.lower()}-") as place, start(place) as running:
        yield running


def numbered(server: ImapServer, *numbers: int) -> list[int]:
    """The UIDs of the first, second, ... message in an INBOX."""
    return [number + (100 if isinstance(server, Pymap) else 0) for number in numbers]


@asynccontextmanager
async def session_with(server: ImapServer, user: str) -> AsyncIterator[Session]:
    endpoint = Endpoint(host=server.host, port=server.imap_port, security=Security.NONE)
    timeouts = Timeouts(silence=20.0)
    async with connect(endpoint, dial=dial, timeouts=timeouts) as session:
        await session.login(user, server.password)
        yield session


def append(server: ImapServer, user: str, mailbox: str, *raws: bytes, flags: str = "") -> None:
    with server.imap(user) as other:
        if mailbox != "INBOX":
            other.create(quote(mailbox))
            other.subscribe(quote(mailbox))
        for each in raws:
            done, said = other.append(quote(mailbox), f"({flags})", None, each)  # type: ignore[arg-type]
            assert done == "OK", said


def change(
    server: ImapServer, user: str, *, seen: Sequence[int] = (), gone: Sequence[int] = ()
) -> None:
    with server.imap(user) as other:
        other.select("INBOX")
        for numbers, flag in ((seen, "(\\Seen)"), (gone, "(\\Deleted)")):
            for uid in numbered(server, *numbers):
                assert other.uid("STORE", str(uid), "+FLAGS", flag)[0] == "OK"
        assert other.expunge()[0] == "OK"


async def test_every_mailbox_is_surveyed_with_its_counters(server: ImapServer):
    user = server.new_user()
    name = server.mailbox("Entwürfe & co")
    await asyncio.to_thread(append, server, user, name, raw(1), raw(2))
    async with session_with(server, user) as session:
        await session.enable()
        assert session.round_trip > 0
        listed, counters = await session.survey()
        by_path = {one.path: one for one in listed}
        assert len(by_path) == len(listed)
        assert by_path["INBOX"].role is MailboxRole.INBOX
        ours = by_path[name]
        assert (ours.selectable, ours.subscribed) == (True, True)
        assert ours.raw_name.isascii()
        told = counters[ours.raw_name]
        assert told.messages == 2
        assert told.uidnext in {3, 103}
        assert {one.raw_name for one in listed if one.selectable} == set(counters)
        selected = await session.select(ours.raw_name, readonly=True)
        assert (selected.exists, selected.uidvalidity) == (2, told.uidvalidity)
        assert await session.select(name, readonly=True) == selected
        assert (selected.mailbox_id is not None) == ("OBJECTID" in session.capabilities)
        assert await session.status([name]) == {name: told}


async def test_messages_are_listed_marked_weighed_and_fetched(server: ImapServer):
    user = server.new_user()
    numbers = numbered(server, *range(1, 9))
    raws = {uid: raw(uid, b"\r\n" + b"x" * 10 * uid + b"\r\n") for uid in numbers}
    await asyncio.to_thread(append, server, user, "INBOX", *raws.values())
    await asyncio.to_thread(change, server, user, seen=(3, 4), gone=(6,))
    (gone,) = numbered(server, 6)
    del raws[gone]
    async with session_with(server, user) as session:
        await session.enable()
        selected = await session.select("INBOX", readonly=True)
        uids = await session.uids(EVERY_UID)
        assert list(uids) == sorted(raws)
        marks = [each async for page in session.flags(EVERY_UID) for each in page]
        assert {each.uid for each in marks} == set(raws)
        assert {each.uid for each in marks if "\\Seen" in each.flags} == set(numbered(server, 3, 4))
        assert all((each.modseq is None) == (selected.highestmodseq is None) for each in marks)
        heads = [each async for page in session.heads([*uids, gone], named=True) for each in page]
        fetched = [each async for each in session.fetch([*uids, gone], batch=2)]
    assert {each.uid: each.raw for each in fetched} == raws
    assert {each.uid for each in heads} == set(raws)
    whole = {each.uid: each for each in fetched}
    for head in heads:
        same = whole[head.uid]
        assert head.size == len(raws[head.uid])
        assert head.internal_date == same.internal_date is not None
        assert head.flags - {"\\Recent"} == same.flags - {"\\Recent"}
        assert head.email_id == same.email_id
        assert head.fields is not None
        assert b"<%d@example.org>" % head.uid in head.fields
        assert b"and on" in head.fields
    offers_names = not session.capabilities.isdisjoint({"OBJECTID", "X-GM-EXT-1"})
    assert len({head.email_id for head in heads if head.email_id}) == (7 if offers_names else 0)


async def test_what_changed_since_is_told_and_nothing_else(server: ImapServer):
    user = server.new_user()
    await asyncio.to_thread(append, server, user, "INBOX", *map(raw, range(1, 7)))
    async with session_with(server, user) as session:
        await session.enable()
        before = (await session.select("INBOX", readonly=True)).highestmodseq
        if before is None:
            pytest.skip("this server keeps no modification sequences")
    await asyncio.to_thread(change, server, user, seen=(2,), gone=(4, 5))
    await asyncio.to_thread(append, server, user, "INBOX", raw(7))
    async with session_with(server, user) as session:
        await session.enable()
        after = await session.select("INBOX", readonly=True)
        assert after.highestmodseq is not None
        told = [each async for each in session.changes(before)]
        marks: list[FlagsOf] = [each for page in told if isinstance(page, list) for each in page]
        found = {each.uid: "\\Seen" in each.flags for each in marks}
        if isinstance(server, Hoodiecrow):  # it tells of all messages, whatever was asked
            found = {uid: found[uid] for uid in (2, 7)}
        else:
            assert all((each.modseq or 0) > before for each in marks)
            told = [each async for each in session.changes(after.highestmodseq)]
            assert not [each for each in told if isinstance(each, list)]
        assert found == {2: True, 7: False}
        if "QRESYNC" in session.enabled:
            told = [each async for each in session.changes(before)]
            gone = Covered.of(span for one in told if isinstance(one, Covered) for span in one)
            assert {4, 5} <= {uid for uid in range(1, 8) if uid in gone}
            assert not {1, 2, 3, 6, 7} & {uid for uid in range(1, 8) if uid in gone}


async def test_parts_of_a_message_are_read_without_the_rest(server: ImapServer):
    user = server.new_user()
    await asyncio.to_thread(append, server, user, "INBOX", raw(1), raw(2, MIXED))
    async with session_with(server, user) as session:
        await session.enable()
        await session.select("INBOX", readonly=True)
        simple, mixed, none = numbered(server, 1, 2, 3)
        structures = await session.structure([simple, mixed, none])
        assert set(structures) == {simple, mixed}
        assert structures[simple].media_type == "text/plain"
        text, pdf, message = structures[mixed].parts
        assert (text.section, text.media_type) == ("1", "text/plain")
        assert (pdf.disposition, pdf.disposition_params) == ("attachment", {"filename": "a.pdf"})
        assert (pdf.encoding, pdf.params) == ("base64", {"name": "a.pdf"})
        assert (message.section, message.message) == ("3", True)
        found = await session.sections(mixed, ["HEADER", "1", "2", "2.MIME", "3.1"])
        if not isinstance(server, Hoodiecrow):  # it answers BAD
            assert not (await session.sections(mixed, ["9"])).get("9")
    assert found["HEADER"].startswith(b"Message-ID: <2@example.org>\r\n")
    assert (found["1"].strip(), found["2"].strip()) == (b"hello", b"YQ==")
    assert b'filename="a.pdf"' in found["2.MIME"]
    assert found["3.1"].strip() == b"inner"


async def test_mail_wakes_who_waits_also_for_other_mailboxes_where_that_is_offered(
    server: ImapServer,
):
    user = server.new_user()
    name = server.mailbox("Elsewhere")
    await asyncio.to_thread(append, server, user, name, raw(1))
    async with session_with(server, user) as session:
        if "IDLE" not in session.capabilities:
            pytest.skip("this server is asked every minute")
        await session.enable()
        await session.select("INBOX", readonly=True)
        notified = await session.notify()
        assert notified == ("NOTIFY" in session.capabilities)
        session.take_news()
        if notified:
            waiting = asyncio.create_task(session.idle(20))
            await asyncio.to_thread(append, server, user, name, raw(2))
            assert await waiting is Woken.NEWS
            elsewhere = [each for each in session.take_news() if isinstance(each, Elsewhere)]
            assert [each.raw_name for each in elsewhere] == [name.encode()]
            assert elsewhere[0].status is not None
            assert elsewhere[0].status.messages == 2
        waiting = asyncio.create_task(session.idle(20))
        await asyncio.sleep(0)
        await asyncio.to_thread(append, server, user, "INBOX", raw(3))
        assert await waiting is Woken.NEWS
        assert list(await session.uids(EVERY_UID)) == numbered(server, 1)


async def test_all_goes_on_as_before_when_it_is_compressed(server: ImapServer):
    user = server.new_user()
    raws = [raw(number, b"\r\n" + b"line\r\n" * 5_000) for number in range(1, 51)]
    async with session_with(server, user) as session:
        if not await session.compress():
            pytest.skip("this server compresses nothing")
        await asyncio.to_thread(append, server, user, "INBOX", *raws)
        await session.enable()
        await session.select("INBOX", readonly=True)
        fetched = [each.raw async for each in session.fetch(range(1, 51), batch=5)]
        assert fetched == raws
        assert len(await session.uids(EVERY_UID)) == 50
        filed = await session.append("INBOX", raws[0])
        assert filed is not None
        waiting = asyncio.create_task(session.idle(20))
        await asyncio.to_thread(append, server, user, "INBOX", raw(3))
        assert await waiting is Woken.NEWS
