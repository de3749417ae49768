"""The proof that nothing is missing, and what is done where something is."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from msgspec import structs
from uuid_utils.compat import uuid7

from shared.contracts.account import AccountRetold, RetellAccount
from shared.contracts.audit import (
    AuditMailbox,
    CountSearchable,
    MailboxAudited,
    MailboxProof,
    ProofsAnswer,
    ReadProofs,
    SearchableAnswer,
    SearchableMailbox,
)
from shared.contracts.envelope import Caller, Command, decode
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import MailboxRenumbered, SyncedMessage
from shared.db import tenant_transaction
from tests.api.conftest import Api, Person
from tests.api.mail import NOON, Ground
from tests.platform import Platform
from tests.sync.proven import Kept, a_kept_mailbox

C = TypeVar("C", bound=Command)


@pytest_asyncio.fixture(loop_scope="session")
async def kept(api: Api, ground: Ground, platform: Platform) -> AsyncIterator[Kept]:
    """What sync keeps of the account; what it tells is for the test to hand on."""
    async with a_kept_mailbox(
        platform, tenant_id=ground.tenant_id, account_id=ground.account_id
    ) as kept:
        kept.mailbox_id = ground.inbox
        await kept.has_mailbox(ground.inbox, "Shown")
        yield kept


async def mail(kept: Kept, ground: Ground, count: int = 30) -> list[SyncedMessage]:
    """Messages that came into the mailbox, as sync tells them."""
    ids = [uuid7() for _ in range(count)]
    revision = await kept.keeps(*ids)
    return [
        ground.message(f"No {n}", message_id=one, revision=revision, minutes=n)
        for n, one in enumerate(ids)
    ]


async def proof(kept: Kept) -> MailboxAudited:
    """A proof, before which everything that was told has been heard."""
    await kept.publishes()
    return await kept.proves()


async def commands(api: Api, kind: type[C]) -> list[C]:
    rows = await api.admin.fetch(
        "SELECT body FROM api.outbox WHERE subject = $1 ORDER BY position", kind.channel
    )
    return [decode(row["body"], kind) for row in rows]


async def differing(api: Api) -> list[int]:
    return [row["bucket"] for row in await api.rows("audit_difference", "bucket")]


# --- What is shown is held against what is proven -------------------------------------------------


async def test_lists_that_have_everything_agree(api: Api, ground: Ground, kept: Kept) -> None:
    messages = await mail(kept, ground)
    deleted = ground.state(None, "\\Deleted")
    await api.hears(
        ground.mailboxes(),
        ground.page(*messages[:-1], structs.replace(messages[-1], state=deleted)),
        await proof(kept),
        await proof(kept),
    )
    assert await differing(api) == []
    assert await commands(api, AuditMailbox) == []


async def test_a_lost_row_is_found_by_two_audits_and_told_again(
    api: Api, ground: Ground, kept: Kept, ada: Person
) -> None:
    messages = await mail(kept, ground)
    await api.hears(ground.mailboxes(), ground.page(*messages))
    lost = [message.message_id for message in messages[3:6]]
    await api.admin.execute("DELETE FROM api.message WHERE message_id = ANY($1)", lost)

    await api.hears(await proof(kept))
    assert await differing(api) == sorted({one.bytes[15] for one in lost})
    (again,) = await commands(api, AuditMailbox)
    assert (again.tenant_id, again.account_id) == (ground.tenant_id, ground.account_id)
    assert (again.mailbox_id, again.wait_seconds) == (ground.inbox, 60)
    assert await commands(api, RetellAccount) == []

    await api.hears(await proof(kept))
    (retell,) = await commands(api, RetellAccount)
    assert (retell.tenant_id, retell.account_id) == (ground.tenant_id, ground.account_id)
    assert retell.listener == "api"

    as_of = await kept.pool.fetchval("SELECT revision FROM clock")
    await api.hears(
        ground.retold(*messages, as_of=as_of, generation=retell.generation),
        AccountRetold(
            tenant_id=ground.tenant_id,
            account_id=ground.account_id,
            listener="api",
            generation=retell.generation,
            as_of_revision=as_of,
            pages=1,
        ),
    )
    await api.sweeps()
    await api.hears(await proof(kept), await proof(kept))
    assert await differing(api) == []
    assert len(await commands(api, RetellAccount)) == 1
    listed = await ada.items("/messages", mailbox_id=shown(Kind.MAILBOX, ground.inbox), limit=100)
    assert len(listed) == 30
    (inbox,) = [one for one in await ada.items("/mailboxes") if one["path"] == "INBOX"]
    assert inbox["message_count"] == inbox["unread_count"] == 30


async def test_what_is_on_its_way_is_no_loss(api: Api, ground: Ground, kept: Kept) -> None:
    messages = await mail(kept, ground)
    await api.hears(ground.mailboxes(), ground.page(*messages[:20]))
    # What was told waits in the outbox: it is not known that everything was heard.
    late = [await kept.proves() for _ in range(3)]
    await api.hears(*late)
    assert await commands(api, RetellAccount) == []
    assert len(await commands(api, AuditMailbox)) == 3
    await api.hears(ground.page(*messages[20:]), await proof(kept))
    assert await differing(api) == []


async def test_what_is_newer_than_the_audit_alarms_nobody(
    api: Api, ground: Ground, kept: Kept
) -> None:
    messages = await mail(kept, ground)
    await api.hears(ground.mailboxes(), ground.page(*messages))
    audits = [await proof(kept), await proof(kept)]
    newer = await kept.keeps()
    await api.hears(
        ground.changed(messages[0].message_id, newer, ground.state(ground.archive)),
        ground.changed(messages[1].message_id, newer, ground.state(None, "\\Seen")),
        ground.vanished(messages[2].message_id, newer),
        ground.page(ground.message("New", revision=newer)),
        *audits,
    )
    assert await differing(api) == []
    assert await commands(api, AuditMailbox) == []


async def test_a_retelling_that_did_not_mend_it_is_not_asked_for_again_at_once(
    api: Api, ground: Ground, kept: Kept
) -> None:
    await mail(kept, ground)
    for _ in range(5):
        await api.hears(await proof(kept))
    assert len(await commands(api, RetellAccount)) == 1
    await api.admin.execute("UPDATE api.account SET retell_asked_at = now() - interval '1 day'")
    await api.hears(await proof(kept))
    assert len(await commands(api, RetellAccount)) == 2


async def test_a_deleted_account_is_not_compared(
    api: Api, ground: Ground, kept: Kept, ada: Person
) -> None:
    await mail(kept, ground)
    await ada.http.delete(f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}")
    await api.hears(await proof(kept))
    assert await differing(api) == []


async def test_a_request_sees_no_differences(api: Api, ground: Ground, kept: Kept) -> None:
    await mail(kept, ground)
    await api.hears(await proof(kept))
    caller = Caller(tenant_id=ground.tenant_id, account_ids=(ground.account_id,))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenant_transaction(api.world.request_pool, caller) as connection:
            await connection.fetch("SELECT * FROM audit_difference")


async def test_what_hidden_messages_cost_is_little(api: Api, ada: Person, ground: Ground) -> None:
    await api.hears(
        ground.mailboxes(),
        *(ground.page(*(ground.message() for _ in range(100))) for _ in range(20)),
        ground.page(ground.message(state=ground.state(None, "\\Deleted"))),
    )
    await api.admin.execute("ANALYZE api.message")
    caller = Caller(tenant_id=ada.tenant_id, account_ids=(ground.account_id,))
    hidden = f"""
        EXPLAIN SELECT count(*) FROM message
         WHERE tenant_id = '{ada.tenant_id}' AND mailbox_id = '{ground.inbox}'
           AND received_at IS NOT NULL AND keywords @> ARRAY['\\Deleted']
    """
    async with tenant_transaction(api.world.request_pool, caller) as connection:
        plan = "\n".join(row[0] for row in await connection.fetch(hidden))
    assert "message_hidden_by_mailbox" in plan, plan


# --- The numbers ----------------------------------------------------------------------------------


def proofs(ground: Ground, **more: Any) -> ProofsAnswer:
    given: dict[str, Any] = {
        "server": 3,
        "kept": 2,
        "quarantined": 1,
        "proven_at": NOON,
        "as_of_revision": 9,
    }
    return ProofsAnswer(
        mailboxes=(
            MailboxProof(mailbox_id=ground.inbox, **given | more),
            MailboxProof(
                mailbox_id=ground.archive, server=0, kept=0, quarantined=0, proven_at=NOON
            ),
        )
    )


def found(mailbox_id: UUID, searchable: int) -> SearchableAnswer:
    return SearchableAnswer(
        mailboxes=(SearchableMailbox(mailbox_id=mailbox_id, searchable=searchable),)
    )


async def integrity(
    api: Api, person: Person, ground: Ground, kept: ProofsAnswer | None,
    searchable: SearchableAnswer | None,
) -> dict[str, Any]:  # fmt: skip
    asked: list[Any] = []
    async with AsyncExitStack() as others:
        for service, query, answer in (
            ("sync", ReadProofs, kept), ("indexer", CountSearchable, searchable)
        ):  # fmt: skip
            if answer is not None:
                asked.append(
                    await others.enter_async_context(api.answering(service, query, answer))
                )
        answer = await person.http.get(
            f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}/integrity"
        )
    assert answer.status_code == 200, answer.text
    for (query,) in asked:
        assert query.caller.tenant_id == person.tenant_id
        assert query.caller.account_ids == (ground.account_id,)
        assert query.account_id == ground.account_id
    return answer.json()


async def two_messages(api: Api, ground: Ground) -> None:
    """One of them marked for removal; and what no list would show in any case."""
    stub = ground.changed(uuid7(), 2, ground.state())
    adrift = ground.message()
    await api.hears(
        ground.mailboxes(),
        ground.page(ground.message(), ground.message(state=ground.state(None, "\\Deleted"))),
        ground.page(structs.replace(adrift, state=structs.replace(adrift.state, mailbox_id=None))),
        stub,
    )


async def test_the_four_numbers_agree_when_nothing_is_missing(
    api: Api, ada: Person, ground: Ground
) -> None:
    await ada.connects()  # another account, which is not spoken of
    await two_messages(api, ground)
    said = await integrity(api, ada, ground, proofs(ground), found(ground.inbox, 2))
    inbox = {
        "path": "INBOX",
        "mailbox_id": shown(Kind.MAILBOX, ground.inbox),
        "server": 3,
        "kept": 2,
        "listed": 2,
        "marked_deleted": 1,
        "searchable": 2,
        "quarantined": 1,
        "proven_at": "2026-11-20T12:00:00Z",
        "agrees": True,
    }
    empty = dict.fromkeys(
        ("server", "kept", "listed", "marked_deleted", "searchable", "quarantined"), 0
    )
    archive = inbox | empty | {"path": "Archive", "mailbox_id": shown(Kind.MAILBOX, ground.archive)}
    assert said["mailboxes"] == [archive, inbox]
    totals = {key: value for key, value in inbox.items() if key not in ("path", "mailbox_id")}
    assert {key: said[key] for key in totals} == totals
    assert said["account_id"] == shown(Kind.ACCOUNT, ground.account_id)
    assert said["problems"] == []


@pytest.mark.parametrize(
    ("kept", "searchable"), [({"server": 4}, 2), ({"kept": 3, "server": 4}, 3), ({}, 1)]
)
async def test_numbers_that_differ_do_not_agree(
    api: Api, ada: Person, ground: Ground, kept: dict[str, int], searchable: int
) -> None:
    await two_messages(api, ground)
    said = await integrity(
        api, ada, ground, proofs(ground, **kept), found(ground.inbox, searchable)
    )
    assert said["agrees"] is False
    assert [one["agrees"] for one in said["mailboxes"]] == [True, False]


async def test_a_mailbox_that_only_one_of_them_has_does_not_agree(
    api: Api, ada: Person, ground: Ground
) -> None:
    await two_messages(api, ground)
    elsewhere = uuid4()
    kept = ProofsAnswer(
        mailboxes=(MailboxProof(mailbox_id=elsewhere, server=1, kept=1, quarantined=0),)
    )
    said = await integrity(api, ada, ground, kept, found(uuid4(), 5))
    # Archive is empty, and nobody says it could be read.
    assert [(one["path"], one["agrees"]) for one in said["mailboxes"]] == [
        ("INBOX", False), (None, False), (None, False),
    ]  # fmt: skip
    assert said["proven_at"] is None


async def test_a_mailbox_that_was_never_proven_leaves_the_account_unproven(
    api: Api, ada: Person, ground: Ground
) -> None:
    await two_messages(api, ground)
    said = await integrity(api, ada, ground, proofs(ground, proven_at=None), found(ground.inbox, 2))
    assert said["proven_at"] is None
    assert said["agrees"] is True


@pytest.mark.parametrize(
    ("sync_answers", "indexer_answers", "problems"),
    [
        (False, True, ["kept_unavailable"]),
        (True, False, ["searchable_unavailable"]),
        (False, False, ["kept_unavailable", "searchable_unavailable"]),
    ],
)
async def test_a_number_that_nobody_answers_is_null_and_no_error(
    api: Api,
    ada: Person,
    ground: Ground,
    sync_answers: bool,
    indexer_answers: bool,
    problems: list[str],
) -> None:
    await two_messages(api, ground)
    said = await integrity(
        api,
        ada,
        ground,
        proofs(ground) if sync_answers else None,
        found(ground.inbox, 2) if indexer_answers else None,
    )
    assert [problem["code"] for problem in said["problems"]] == problems
    assert said["agrees"] is None
    for numbers in (said, said["mailboxes"][1]):
        assert numbers["listed"] == 2
        assert (numbers["searchable"] == 2) is indexer_answers
        assert (numbers["searchable"] is None) is not indexer_answers
        for name in ("server", "kept", "quarantined", "proven_at"):
            assert (numbers[name] is None) is not sync_answers


async def test_nobody_reads_the_integrity_of_another_tenants_account(
    api: Api, ada: Person, ground: Ground
) -> None:
    await two_messages(api, ground)
    async with (
        api.person() as eve,
        api.answering("sync", ReadProofs) as asked,
        api.answering("indexer", CountSearchable) as also,
    ):
        answer = await eve.http.get(f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}/integrity")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert (asked, also) == ([], [])


# --- Mailboxes ------------------------------------------------------------------------------------


async def test_the_log_says_once_that_a_mailbox_was_numbered_anew(
    api: Api, ada: Person, ground: Ground
) -> None:
    renumbered = MailboxRenumbered(
        tenant_id=ground.tenant_id,
        account_id=ground.account_id,
        mailbox_id=ground.inbox,
        revision=7,
        matched=5400,
        fetched=3,
        vanished=1,
    )
    await api.hears(ground.mailboxes(), renumbered)
    await api.hears_at_once(renumbered, renumbered)
    told = [event for event in await ada.events() if event["type"] == "mailbox.renumbered"]
    assert [event["data"] for event in told] == [
        {
            "id": shown(Kind.MAILBOX, ground.inbox),
            "account_id": shown(Kind.ACCOUNT, ground.account_id),
            "matched": 5400,
            "fetched": 3,
            "vanished": 1,
        }
    ]


async def test_a_mailbox_says_whether_it_is_subscribed(
    api: Api, ada: Person, ground: Ground
) -> None:
    first = ground.mailboxes()
    await api.hears(first)
    assert [one["subscribed"] for one in await ada.items("/mailboxes")] == [True, True]
    inbox = structs.replace(first.mailboxes[0], revision=2, subscribed=False)
    await api.hears(structs.replace(first, event_id=uuid7(), mailboxes=(inbox,)))
    boxes = {one["path"]: one["subscribed"] for one in await ada.items("/mailboxes")}
    assert boxes == {"INBOX": False, "Archive": True}
    (updated,) = [event for event in await ada.events() if event["type"] == "mailbox.updated"]
    assert updated["data"]["subscribed"] is False
