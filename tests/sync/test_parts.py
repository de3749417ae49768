"""Attachments and messages as they came, brought from a real server into the bucket."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from types import SimpleNamespace
from uuid import UUID, uuid4

from prometheus_client import REGISTRY

from services.sync.actions.fetch_part import NotToBeHad, fetch_part
from services.sync.imap import Session
from services.sync.store.whereabouts import Whereabouts
from shared.bus import Bucket, NoAnswer
from shared.bus.bucket import PIECE_BYTES, Key
from shared.contracts.account import RemoveSync
from shared.contracts.attachment import WHOLE_MESSAGE, FetchPart, PartAnswer
from shared.contracts.envelope import Caller
from tests.servers.dovecot import Dovecot, crlf
from tests.servers.proxy import Proxy
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.imap.test_dovecot import session_with

PDF = b"%PDF-1.4 " + os.urandom(3000)
LARGE = os.urandom(5 * PIECE_BYTES + 77)
NOTE = ("Käse\r\n" * 60_000).encode()


def letter(subject: str, *files: tuple[str, bytes]) -> bytes:
    message = EmailMessage()
    message["From"] = "Ada <ada@postbus.test>"
    message["To"] = "Grace <grace@postbus.test>"
    message["Subject"] = subject
    message["Message-ID"] = f"<{uuid4()}@postbus.test>"
    message.set_content("See what is attached.\n")
    message.add_alternative("<p>See what is attached.</p>", subtype="html")
    for name, content in files:
        if name.endswith(".txt"):
            message.add_attachment(content.decode(), filename=name, cte="quoted-printable")
        else:
            message.add_attachment(
                content, maintype="application", subtype="octet-stream", filename=name
            )
    return crlf(message.as_bytes())


SMALL_LETTER = letter("small", ("a.pdf", PDF), ("b.bin", b"\0\1\2"))
LARGE_LETTER = letter("large", ("first.bin", b"1st"), ("big.bin", LARGE), ("note.txt", NOTE))


def asking(sync: Sync, tenant_id: UUID, account_id: UUID):
    caller = Caller(tenant_id=tenant_id, account_ids=(account_id,))

    async def ask(message_id: UUID, part: int, piece: int | None = None) -> PartAnswer:
        question = FetchPart(caller=caller, message_id=message_id, part=part, piece=piece)

        async def check() -> PartAnswer | None:
            try:
                answer = await sync.api.ask(question, PartAnswer)
            except NoAnswer:
                return None  # nobody is there yet to answer
            return answer if answer.ready or answer.problem is not None else None

        return await until("there is an answer", check)

    return ask


def _brought() -> float:
    return REGISTRY.get_sample_value("postbus_sync_parts_total", {"result": "ok"}) or 0.0


async def content_of(bucket: Bucket, key: Key) -> bytes:
    whole = await bucket.whole(key)
    assert whole is not None
    pieces = [await bucket.piece(key, number) for number in range(whole.pieces)]
    content = b"".join(piece or b"" for piece in pieces)
    assert len(content) == whole.size_bytes
    return content


async def code_of(asked: PartAnswer) -> str:
    assert asked.problem is not None
    return asked.problem.code


async def test_parts_are_brought_as_they_were_sent_and_only_once(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [SMALL_LETTER, LARGE_LETTER])
    bucket = Bucket(sync.api)
    async with Proxy.to(dovecot.imap_port) as proxy, sync.running():
        account = await sync.connect(user, SimpleNamespace(imap_port=proxy.port))  # pyright: ignore[reportArgumentType]
        ids = await sync.until_listed(2)
        ask = asking(sync, account.tenant_id, account.account_id)
        async with sync.running(role="answer"):
            before = proxy.accepted
            expected = {
                ("small", 1): PDF,
                ("small", 2): b"\0\1\2",
                ("small", WHOLE_MESSAGE): SMALL_LETTER,
                ("large", 1): b"1st",
                ("large", 2): LARGE,
                ("large", 3): NOTE,
                ("large", WHOLE_MESSAGE): LARGE_LETTER,
            }
            answers = await asyncio.gather(*(ask(ids[name], part) for name, part in expected))
            assert all(answer.ready for answer in answers)
            for (name, part), content in expected.items():
                key = Key(account.account_id, ids[name], part)
                found = await content_of(bucket, key)
                if part == 3:
                    found, content = found.strip(), content.strip()
                assert found == content, (name, part)
            assert proxy.accepted == before + 1, "all by one connection"

            counted = _brought()
            for name, part in expected:
                assert (await ask(ids[name], part)).ready
            assert _brought() == counted, "the server is not asked twice"

            proxy.cut()
            again = await ask(ids["large"], 2)
            assert again.ready
            assert proxy.accepted - before in {1, 2}, "only who keeps the account called again"

            assert await code_of(await ask(ids["small"], 7)) == "part_missing"
            assert await code_of(await ask(uuid4(), 1)) == "not_found"


async def test_what_belongs_to_others_is_not_brought(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [SMALL_LETTER])
    async with sync.running(), sync.running(role="answer"):
        account = await sync.connect(user, dovecot)
        (message_id,) = (await sync.until_listed(1)).values()
        for tenant_id, account_id in (
            (uuid4(), account.account_id),
            (account.tenant_id, uuid4()),
        ):
            ask = asking(sync, tenant_id, account_id)
            assert await code_of(await ask(message_id, 1)) == "not_found"
        assert await Bucket(sync.api).whole(Key(account.account_id, message_id, 1)) is None


async def test_a_removed_account_leaves_nothing_in_the_bucket(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [SMALL_LETTER])
    bucket = Bucket(sync.api)
    async with sync.running(), sync.running(role="answer"):
        account = await sync.connect(user, dovecot)
        (message_id,) = (await sync.until_listed(1)).values()
        key = Key(account.account_id, message_id, 1)
        assert (await asking(sync, account.tenant_id, account.account_id)(message_id, 1)).ready
        assert await bucket.whole(key) is not None
        await sync.command(RemoveSync(tenant_id=account.tenant_id, account_id=account.account_id))

        async def gone() -> bool:
            return await bucket.whole(key) is None and await bucket.piece(key, 0) is None

        await until("the bucket is empty", gone)


async def test_the_slot_is_given_back_with_the_process(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [SMALL_LETTER])
    async with sync.running():
        account = await sync.connect(user, dovecot)
        (message_id,) = (await sync.until_listed(1)).values()
        async with sync.running(role="answer"):
            ask = asking(sync, account.tenant_id, account.account_id)
            assert (await ask(message_id, 1)).ready
            held = "SELECT count(*) FROM connection_slot WHERE role = 'answer'"
            assert await sync.database.fetchval(held) == 1
            assert await sync.database.fetchval("SELECT count(*) FROM replica") == 2
        assert await sync.database.fetchval(held) == 0
        assert await sync.database.fetchval("SELECT count(*) FROM replica") == 1


async def test_a_server_that_is_away_says_when_to_ask_again(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [SMALL_LETTER])
    async with Proxy.to(dovecot.imap_port) as proxy, sync.running():
        account = await sync.connect(user, SimpleNamespace(imap_port=proxy.port))  # pyright: ignore[reportArgumentType]
        (message_id,) = (await sync.until_listed(1)).values()
        proxied = proxy
    async with sync.running(role="answer"):
        assert not proxied.connections
        answer = await asking(sync, account.tenant_id, account.account_id)(message_id, 1)
        assert await code_of(answer) == "account_unreachable"
        assert answer.retry_after_seconds


async def test_two_replicas_share_the_one_connection_in_turn(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    letters = [letter(f"letter {n}", ("a.bin", os.urandom(1000 + n))) for n in range(12)]
    dovecot.append(user, "INBOX", letters)
    async with sync.running(), sync.running(role="answer"), sync.running(role="answer"):
        account = await sync.connect(user, dovecot)
        ids = await sync.until_listed(len(letters))
        ask = asking(sync, account.tenant_id, account.account_id)
        answers = await asyncio.gather(*(ask(message_id, 1) for message_id in ids.values()))
        assert all(answer.ready for answer in answers)


async def test_who_listens_over_the_only_connection_lends_it(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [SMALL_LETTER])
    # What it keeps would not be looked at again for long: nothing else makes it hang up.
    alone = {"connections_per_account": 1, "poll_seconds": 300.0, "heartbeat_seconds": 1.0}
    async with sync.running(**alone), sync.running(role="answer", connections_per_account=1):
        account = await sync.connect(user, dovecot)
        (message_id,) = (await sync.until_listed(1)).values()
        await sync.until_state("live")
        ask = asking(sync, account.tenant_id, account.account_id)
        assert (await ask(message_id, 1)).ready
        dovecot.append(user, "INBOX", [letter("later")])
        await sync.until_listed(2)  # the keeper has it again


class _Gone(Bucket):
    def __init__(self) -> None: ...


@asynccontextmanager
async def opened(dovecot: Dovecot, user: str) -> AsyncGenerator[tuple[Session, int]]:
    async with session_with(dovecot, user) as session:
        selected = await session.select("INBOX", readonly=True)
        yield session, selected.uidvalidity


async def test_a_message_that_is_gone_or_elsewhere_by_now_is_said_to_be(
    dovecot: Dovecot, user: str
) -> None:
    (uid,) = dovecot.append(user, "INBOX", [SMALL_LETTER])

    async def why(session: Session, **more: object) -> str:
        where = Whereabouts(**{
            "message_id": uuid4(), "account_id": uuid4(), "raw_name": b"INBOX",
            "uidvalidity": 1, "uid": uid, "size_bytes": len(SMALL_LETTER), **more,
        })  # fmt: skip
        key = Key(where.account_id, where.message_id, 1)
        try:
            await fetch_part(session, where, key, _Gone(), lambda _: None)
        except NotToBeHad as error:
            return error.code
        raise AssertionError("it was there")

    async with opened(dovecot, user) as (session, uidvalidity):
        assert await why(session, uidvalidity=uidvalidity, uid=uid + 9) == "message_gone"
        large = {"uid": uid + 9, "size_bytes": 10_000_000}
        assert await why(session, uidvalidity=uidvalidity, **large) == "message_gone"
        assert await why(session, uidvalidity=uidvalidity + 1) == "message_moving"
        assert await why(session, raw_name=None) == "message_moving"
