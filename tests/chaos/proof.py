"""Whether our copy is the server's, and whether nothing happened to anybody twice."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import nats
import nats.errors

from shared.contracts.ids import Kind, read, shown
from tests.chaos.life import Residence, Truth
from tests.stories.stack import Stack, until
from tests.stories.walk import pages

STREAMS = ("MAIL", "FILL", "SYNC", "SENDER")
Ids: TypeAlias = dict[Residence, str]


@dataclass(frozen=True)
class Copy:
    """What the platform holds of one account when it has come to rest."""

    truth: Truth
    ids: Ids = field(default_factory=Ids)  # every residence and our id of it
    mailbox_ids: dict[str, str] = field(default_factory=dict[str, str])  # by path


async def unrest(stack: Stack, truth: Truth, account: str) -> dict[str, Any]:
    """What still differs from the server, or is still under way; empty when all is done."""
    left: dict[str, Any] = {}
    try:
        connection = await asyncpg.connect(stack.superuser_url, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        return {"database": str(error)}
    try:
        ours = await _places(connection, account)
        theirs = {one: residence.flags for one, residence in _flat(truth).items()}
        left |= _difference("not kept", theirs.items() - ours.items())
        left |= _difference("kept and not there", ours.items() - theirs.items())
        counts = await connection.fetchrow(
            """
            SELECT (SELECT count(*) FROM sync.outbox) AS "outbox of sync",
                   (SELECT count(*) FROM api.outbox) AS "outbox of api",
                   (SELECT count(*) FROM indexer.outbox) AS "outbox of indexer",
                   (SELECT count(*) FROM sync.message
                     WHERE uid IS NULL AND account_id = $1) AS "without a place"
            """,
            read(Kind.ACCOUNT, account),
        )
        left |= {name: count for name, count in dict(counts or {}).items() if count}
        state = await connection.fetchrow(
            "SELECT state, reason FROM sync.account_state WHERE account_id = $1",
            read(Kind.ACCOUNT, account),
        )
        if state is None or state["state"] != "live":
            left["state"] = dict(state) if state else None
    except asyncpg.PostgresError as error:
        return {"database": str(error)}
    finally:
        await connection.close()
    try:
        client = await nats.connect(
            stack.bus_admin_url, allow_reconnect=False, connect_timeout=5, error_cb=_quiet
        )
    except (OSError, nats.errors.Error, TimeoutError) as error:
        return left | {"bus": str(error)}
    try:
        for stream in STREAMS:
            if count := (await client.jetstream().stream_info(stream)).state.messages:
                left[f"stream {stream}"] = count
    except (nats.errors.Error, TimeoutError) as error:
        left["bus"] = str(error)
    finally:
        await client.close()
    return left


async def _quiet(_: Exception) -> None:
    """A bus that is away is in the answer already."""


async def _places(
    connection: asyncpg.Connection, account: str
) -> dict[tuple[str, int, int], frozenset[str]]:
    rows = await connection.fetch(
        """
        SELECT path, uidvalidity, uid, keywords
          FROM sync.message JOIN sync.mailbox USING (mailbox_id)
         WHERE message.account_id = $1 AND uid IS NOT NULL AND gone_at IS NULL
        """,
        read(Kind.ACCOUNT, account),
    )
    return {
        (row["path"], row["uidvalidity"], row["uid"]): frozenset(row["keywords"]) for row in rows
    }


def _flat(truth: Truth) -> dict[tuple[str, int, int], Residence]:
    return {
        (one.path, one.uidvalidity, one.uid): one for box in truth.values() for one in box.values()
    }


def _difference(what: str, found: Iterable[Any]) -> dict[str, Any]:
    some = sorted(found, key=str)
    return {what: {"count": len(some), "some": some[:8]}} if some else {}


async def take_copy(stack: Stack, truth: Truth, account: str) -> Copy:
    """Our ids of everything that is there."""
    connection = await asyncpg.connect(stack.superuser_url)
    try:
        rows = await connection.fetch(
            """
            SELECT path, uid, message_id
              FROM sync.message JOIN sync.mailbox USING (mailbox_id)
             WHERE message.account_id = $1 AND uid IS NOT NULL AND gone_at IS NULL
            """,
            read(Kind.ACCOUNT, account),
        )
        boxes = await connection.fetch(
            "SELECT path, mailbox_id FROM sync.mailbox WHERE account_id = $1 AND gone_at IS NULL",
            read(Kind.ACCOUNT, account),
        )
    finally:
        await connection.close()
    return Copy(
        truth=truth,
        ids={
            truth[row["path"]][row["uid"]]: shown(Kind.MESSAGE, row["message_id"]) for row in rows
        },
        mailbox_ids={row["path"]: shown(Kind.MAILBOX, row["mailbox_id"]) for row in boxes},
    )


# -- ids that stay -------------------------------------------------------------------------------


def moved_ids(before: Copy, after: Copy, fresh: set[str], removed: set[str]) -> list[str]:
    """Every way in which an id did not stay where it must.

    `fresh`: messages copied within the grace of moves. One that goes soon after its copy came may
    have been moved by hand, and may take its place; what was there for longer is itself. `removed`:
    messages of which a copy was expunged since.
    """
    faults: list[str] = []
    then = {one.number: (one, message_id) for one, message_id in before.ids.items()}
    for one, message_id in after.ids.items():
        was = then.get(one.number)
        same = was is not None and was[0].token == one.token
        if was is not None and same and was[1] != message_id and one.token not in fresh:
            faults.append(
                f"{one.token} kept its UID {one.uid} of {one.uidvalidity} in {one.path}"
                f" (before: {was[0].path}) and lost its id {was[1]}: now {message_id}"
            )
    old, new = _by_token(before.ids), _by_token(after.ids)
    for token in old.keys() & new.keys():
        if token in fresh:
            continue  # which of the copies stayed is for nobody to know
        if not new[token] <= old[token] or not (token in removed or old[token] <= new[token]):
            faults.append(f"{token} was {sorted(old[token])} and is {sorted(new[token])}")
    numbers = {one.uidvalidity: path for path, box in before.truth.items() for one in box.values()}
    for path, box in after.truth.items():
        was_at = {numbers[one.uidvalidity] for one in box.values() if one.uidvalidity in numbers}
        for old_path in was_at:
            if before.mailbox_ids.get(old_path) != after.mailbox_ids.get(path):
                faults.append(f"mailbox {old_path} is {path} now and lost its id")
    return faults


def _by_token(ids: Ids) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one, message_id in ids.items():
        found.setdefault(one.token, set()).add(message_id)
    return found


def _marks(keywords: Iterable[str]) -> frozenset[str]:
    """Marks have no case (RFC 9051 §2.3.2)."""
    return frozenset(keyword.lower() for keyword in keywords)


# -- what the world outside sees -----------------------------------------------------------------


async def unlike_listed(person: httpx.AsyncClient, copy: Copy, account: str) -> list[str]:
    """Where the lists of the HTTP API differ from what is kept."""
    faults: list[str] = []
    rows = {row["id"]: row for row in await pages(person, "/messages", account_id=account)}
    paths = {
        box["id"]: box["path"] for box in await pages(person, "/mailboxes", account_id=account)
    }
    # What is marked as deleted stays in the copy and is not shown.
    visible = {i: one for one, i in copy.ids.items() if "\\Deleted" not in one.flags}
    for message_id in visible.keys() - rows.keys():
        faults.append(f"{message_id} ({visible[message_id]}) is not listed")
    for message_id in rows.keys() - visible.keys():
        faults.append(f"{message_id} ({rows[message_id]['subject']}) is listed and not there")
    for message_id in visible.keys() & rows.keys():
        one, row = visible[message_id], rows[message_id]
        seen = (row["subject"], paths.get(row["mailbox_id"]), _marks(row["keywords"]))
        meant = (one.token, one.path, _marks(one.flags))
        if seen != meant:
            faults.append(f"{message_id} is listed as {seen} and is {meant}")
    if set(paths.values()) != set(copy.mailbox_ids):
        faults.append(f"mailboxes listed: {sorted(paths.values())}, kept: {sorted(copy.truth)}")
    return faults


async def unlike_found(
    stack: Stack, person: httpx.AsyncClient, copy: Copy, account: str
) -> list[str]:
    """Where the memory of the indexer differs from what is kept."""
    connection = await asyncpg.connect(stack.superuser_url)
    try:
        rows = await connection.fetch(
            """
            SELECT message_id, mailbox_id, keywords FROM indexer.document
             WHERE account_id = $1 AND has_content AND vanished_at IS NULL
            """,
            read(Kind.ACCOUNT, account),
        )
    finally:
        await connection.close()
    faults: list[str] = []
    found = {shown(Kind.MESSAGE, row["message_id"]): row for row in rows}
    ids = {message_id: one for one, message_id in copy.ids.items()}
    for message_id in ids.keys() ^ found.keys():
        where = "not in the index" if message_id in ids else "in the index and not there"
        faults.append(f"{message_id} ({ids.get(message_id)}) is {where}")
    for message_id in ids.keys() & found.keys():
        one, row = ids[message_id], found[message_id]
        seen = (_mailbox(row["mailbox_id"]), _marks(row["keywords"]))
        meant = (copy.mailbox_ids[one.path], _marks(one.flags))
        if seen != meant:
            faults.append(f"{message_id} ({one.token}) is {seen} in the index and is {meant}")
    tokens = _by_token({one: i for one, i in copy.ids.items() if "\\Deleted" not in one.flags})
    for token in sorted(tokens)[:: max(1, len(tokens) // 5)]:
        query = f"rfc822msgid:{token}@chaos.test"
        search = {row["id"] for row in await pages(person, "/search", q=query, account_id=account)}
        if search & ids.keys() != tokens[token]:
            faults.append(f"{query} finds {sorted(search)} and not {sorted(tokens[token])}")
    return faults


def _mailbox(mailbox_id: UUID | None) -> str | None:
    return shown(Kind.MAILBOX, mailbox_id) if mailbox_id else None


async def unlike_proven(
    stack: Stack, person: httpx.AsyncClient, copy: Copy, account: str
) -> list[str]:
    """Where the numbers that are to prove it differ, or an audit raised a false alarm."""
    count = len(copy.ids)
    integrity: dict[str, Any] = {}

    async def agree() -> bool:
        nonlocal integrity
        answer = await person.get(f"/accounts/{account}/integrity")
        assert answer.status_code == 200, answer.text
        integrity = answer.json()
        names = ("server", "kept", "listed", "searchable")
        return bool(integrity["agrees"]) and {integrity[name] for name in names} == {count}

    try:
        await until("the numbers agree", agree, seconds=20)
    except AssertionError:
        return [f"of {count} messages: {integrity}"]
    connection = await asyncpg.connect(stack.superuser_url)
    try:
        asked = await connection.fetchval(
            """
            SELECT (SELECT count(*) FROM api.retelling WHERE account_id = $1)
                 + (SELECT count(*) FROM indexer.retelling WHERE account_id = $1)
            """,
            read(Kind.ACCOUNT, account),
        )
    finally:
        await connection.close()
    return [f"{asked} retellings, though nothing was lost"] if asked else []


# -- the event log -------------------------------------------------------------------------------


async def read_log(person: httpx.AsyncClient, account: str) -> list[dict[str, Any]]:
    """The account's events from the first to the last."""
    events: list[dict[str, Any]] = []
    cursor = "earliest"
    while True:
        answer = await person.get(
            "/events", params={"after": cursor, "account_id": account, "limit": 100}
        )
        assert answer.status_code == 200, answer.text
        body = answer.json()
        events += body["items"]
        cursor = body["next_cursor"]
        if not body["more"]:
            return events


def unlike_told(events: list[dict[str, Any]], copy: Copy) -> list[str]:
    """Where whoever followed the event log would be wrong."""
    faults: list[str] = []
    repeated = [i for i, n in Counter(event["id"] for event in events).items() if n > 1]
    if repeated:
        faults.append(f"events logged twice: {repeated}")
    came: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    last: dict[str, Mapping[str, Any]] = {}
    for event in events:
        kind, data = event["type"], event["data"]
        if kind == "messages.added":
            came.update(data["message_ids"])
            continue
        if not kind.startswith("message."):
            continue
        message_id = data["id"]
        if gone[message_id]:
            faults.append(f"{kind} of {message_id} after it was deleted")
        if kind == "message.deleted":
            gone[message_id] += 1
            continue
        if kind == "message.received":
            came[message_id] += 1
        elif kind == "message.updated" and last.get(message_id) == data:
            faults.append(f"{kind} of {message_id} tells what was told: {data}")
        last[message_id] = data
    faults += [f"{one} came {n} times" for one, n in came.items() if n > 1]
    faults += [f"{one} was deleted {n} times" for one, n in gone.items() if n > 1]
    faults += [f"{one} was deleted and never came" for one in gone if not came[one]]
    ids = {message_id: one for one, message_id in copy.ids.items()}
    alive = {one for one in came if not gone[one]}
    for message_id in ids.keys() ^ alive:
        what = "never came" if message_id in ids else "came, is not there, and was not deleted"
        faults.append(f"{message_id} ({ids.get(message_id)}) {what}")
    for message_id, data in last.items():
        one = ids.get(message_id)
        if one is None or "keywords" not in data:
            continue
        told = (data["mailbox_id"], _marks(data["keywords"]))
        meant = (copy.mailbox_ids[one.path], _marks(one.flags))
        if told != meant:
            faults.append(f"{message_id} ({one.token}) was told as {told} and is {meant}")
    return faults
