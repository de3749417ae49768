"""No password of a mail account in the clear: not on the bus, not in a log, not on the disk."""

import asyncio
import base64
from pathlib import Path

import asyncpg
import httpx
import nats
import pytest
from nats.aio.msg import Msg

from shared.contracts.envelope import unpack
from tests.servers.dovecot import Dovecot
from tests.stories.stack import Stack
from tests.stories.walk import connect, until_state

pytestmark = pytest.mark.story

SECRET = "Tr0ub4dor-and-a-rare-password"


def forms(secret: str) -> list[bytes]:
    """A secret as it is, and as base64 at each of its three alignments."""
    raw = secret.encode()
    coded = [base64.b64encode(b"x" * shift + raw) for shift in range(3)]
    return [raw, *(code[(4 if shift else 0) : -4] for shift, code in enumerate(coded))]


def holding(directory: Path, needles: list[bytes]) -> list[str]:
    """The files below that hold one of these."""
    found: list[str] = []
    for path in directory.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [str(path) for needle in needles if needle in content]
    return found


async def dumped(stack: Stack) -> list[bytes]:
    """Every row of every table, as a dump of the database has it."""
    database = await asyncpg.connect(stack.superuser_url)
    try:
        tables = await database.fetch(
            """
            SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
             WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
            """
        )
        rows: list[bytes] = []
        for table in tables:
            found = await database.fetch(f"SELECT one::text AS row FROM {table['name']} AS one")
            rows += [row["row"].encode() for row in found]
        return rows
    finally:
        await database.close()


def in_a_dump(needles: list[bytes]) -> list[bytes]:
    """These as they would show there: bytes are hexadecimal."""
    return [*needles, *(needle.hex().encode() for needle in needles)]


async def test_a_password_is_nowhere_in_the_clear(
    stack: Stack, person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    said: list[bytes] = []

    async def tap(message: Msg) -> None:
        said.append(unpack(message.data) + repr(message.headers).encode())

    client = await nats.connect(stack.bus_admin_url)
    try:
        await client.subscribe(">", cb=tap)
        await client.flush()
        user = dovecot.new_user()
        account = await connect(person, user, dovecot, password=SECRET)
        await until_state(person, account, "auth_failed")
        answer = await person.get(f"/accounts/{account}")
        await client.flush()
        await asyncio.sleep(0)
    finally:
        await client.close()

    needles = forms(SECRET)
    assert any(user.encode() in one for one in said), "the tap heard nothing of the account"
    assert not [one for one in said for needle in needles if needle in one]
    assert not [needle for needle in needles if needle in answer.content]
    dump = await dumped(stack)
    assert any(user.encode() in row for row in dump), "nothing of the account is in the dump"
    assert not [row for row in dump for needle in in_a_dump(needles) if needle in row]
    # Files of PostgreSQL (tables and WAL), of JetStream, and every log.
    assert holding(stack.home, [user.encode()]), "nothing of the account is on the disk"
    assert holding(stack.home, needles) == []


def test_the_search_for_secrets_would_find_one(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"... " + SECRET.encode())
    for shift in range(3):
        coded = base64.b64encode(b"." * shift + SECRET.encode() + b" and more")
        (tmp_path / f"coded-{shift}").write_bytes(coded)
    assert len(set(holding(tmp_path, forms(SECRET)))) == 4
