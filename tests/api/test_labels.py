"""Labels, where a server has them beside mailboxes: kept, told, and asked for."""

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from services.api.actions.forget_account import forget_account
from services.api.domain.told import LONGEST_LABEL, label_of
from shared.contracts.account import AccountRetold
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import MailboxesSynced, MailboxRole, SyncedMailbox
from shared.db import tenant_transaction
from tests.api.conftest import Api, Person
from tests.api.mail import Ground


def in_account(ground: Ground, label: str, **more: Any) -> dict[str, Any]:
    return {"account_id": shown(Kind.ACCOUNT, ground.account_id), "label": label, **more}


def in_inbox(ground: Ground, label: str, **more: Any) -> dict[str, Any]:
    return {"mailbox_id": shown(Kind.MAILBOX, ground.inbox), "label": label, **more}


async def subjects(ada: Person, place: dict[str, Any]) -> list[str]:
    return [item["subject"] for item in await ada.items("/messages", **place)]


async def test_a_message_shows_the_labels_of_its_newest_state_and_the_log_tells_of_them(
    api: Api, ada: Person, ground: Ground
) -> None:
    message = ground.message(state=ground.state(None, labels=("\\Inbox", "Work")))
    await api.hears(ground.mailboxes(), ground.page(message))
    (listed,) = await ada.items("/messages", **in_account(ground, "Work"))
    assert listed["labels"] == ["Work", "\\Inbox"]

    await api.hears(
        ground.changed(message.message_id, 3, ground.state(None, labels=("Ørsted", "Work"))),
        ground.changed(message.message_id, 2, ground.state(None, labels=("Older",))),
    )
    (listed,) = await ada.items("/messages", **in_account(ground, "Ørsted"))
    assert listed["labels"] == ["Work", "Ørsted"]
    for label in ("\\Inbox", "Older"):
        assert await subjects(ada, in_account(ground, label)) == []

    told = {event["type"]: event["data"] for event in await ada.events()}
    assert told["message.received"]["labels"] == ["Work", "\\Inbox"]
    assert told["message.updated"]["labels"] == ["Work", "Ørsted"]
    # What is told again is no news, and what is only told later than it was is none, either.
    types = [event["type"] for event in await ada.events()]
    assert types.count("message.updated") == 1


async def test_an_accounts_labels_are_those_its_messages_have_and_the_keywords_of_the_newest(
    api: Api, ada: Person, ground: Ground
) -> None:
    plain = ground.message(state=ground.state(None, "\\Seen", "$label1", "Later"))
    await api.hears(ground.mailboxes(), ground.page(plain))
    account = shown(Kind.ACCOUNT, ground.account_id)
    assert await known_labels(ada) == [("keyword", "$label1"), ("keyword", "Later")]

    labelled = [
        ground.message(f"No {n}", state=ground.state(labels=("\\Inbox", "Work", "Ørsted")))
        for n in range(3)
    ]
    await api.hears(ground.page(*labelled))
    assert await known_labels(ada, account_id=account) == [
        ("keyword", "$label1"),
        ("keyword", "Later"),
        ("label", "Work"),
        ("label", "\\Inbox"),
        ("label", "Ørsted"),
    ]
    async with api.person() as eve:
        await eve.connects()
        assert await known_labels(eve) == []


async def test_what_came_in_is_what_has_its_label_where_no_mailbox_has_the_role(
    api: Api, ada: Person, ground: Ground
) -> None:
    all_mail = SyncedMailbox(
        mailbox_id=ground.inbox,
        revision=1,
        path="[Gmail]/All Mail",
        name="All Mail",
        delimiter="/",
        role=MailboxRole.ALL,
    )
    inbox, sent = ("\\Inbox",), ("\\Sent", "Work")
    await api.hears(
        MailboxesSynced(
            tenant_id=ground.tenant_id, account_id=ground.account_id, mailboxes=(all_mail,)
        ),
        ground.page(
            *(
                ground.message(f"In {n}", minutes=n, state=ground.state(labels=inbox))
                for n in range(5)
            ),
            ground.message("Out", minutes=9, state=ground.state(labels=sent)),
            ground.message("Archived", minutes=10),
            ground.message("Seen", minutes=11, state=ground.state(None, "\\Seen", labels=inbox)),
        ),
    )
    newest_first = ["Seen", *(f"In {n}" for n in reversed(range(5)))]
    assert await subjects(ada, {"role": "inbox"}) == newest_first
    first = await ada.http.get("/messages", params={"role": "inbox", "limit": 2})
    rest = {"role": "inbox", "cursor": first.json()["next_cursor"]}
    assert await subjects(ada, rest) == newest_first[2:]
    account = {"account_id": shown(Kind.ACCOUNT, ground.account_id)}
    assert await subjects(ada, {"role": "sent", **account}) == ["Out"]
    assert await subjects(ada, {"role": "junk"}) == []
    counted = {one["name"]: one["unread_count"] for one in await ada.items("/labels")}
    assert counted == {"\\Inbox": 5, "\\Sent": None, "Work": None}


async def known_labels(person: Person, **place: Any) -> list[tuple[str, str]]:
    return [(one["kind"], one["name"]) for one in await person.items("/labels", **place)]


async def test_messages_of_a_label_are_listed_newest_first_page_by_page(
    api: Api, ada: Person, ground: Ground
) -> None:
    messages = [
        ground.message(
            f"No {n}", minutes=n // 2, state=ground.state(labels=("Even",) if n % 2 == 0 else ())
        )
        for n in range(14)
    ]
    other = ground.message(
        "Elsewhere", minutes=99, state=ground.state(ground.archive, labels=("Even",))
    )
    await api.hears(ground.mailboxes(), ground.page(*messages, other))
    even = [f"No {n}" for n in reversed(range(0, 14, 2))]
    for place, expected in (
        (in_inbox(ground, "Even", limit=3), even),
        (in_account(ground, "Even", limit=3), ["Elsewhere", *even]),
    ):
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await ada.http.get("/messages", params=place | cursor)).json()
            found += [item["subject"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert found == expected


async def test_a_label_is_exactly_as_written_but_the_servers_own_are_so_in_any_case(
    api: Api, ada: Person, ground: Ground
) -> None:
    await api.hears(
        ground.mailboxes(),
        ground.page(
            ground.message("One", state=ground.state(labels=("work", "\\INBOX"))),
            ground.message("Two", minutes=1, state=ground.state(labels=("Work", "\\Inbox"))),
            ground.message("Three", minutes=2, state=ground.state(labels=("Work/Sub", "Inbox"))),
        ),
    )
    asked = {
        "work": ["One"],
        "Work": ["Two"],
        "WORK": [],
        "Work/Sub": ["Three"],
        "Inbox": ["Three"],
        "\\inbox": ["Two", "One"],
        "\\Inbox": ["Two", "One"],
        "Wor%": [],
    }
    for label, expected in asked.items():
        assert await subjects(ada, in_account(ground, label)) == expected, label


async def test_what_no_list_shows_no_label_shows(api: Api, ada: Person, ground: Ground) -> None:
    work = ("Work",)
    messages = [ground.message(f"No {n}", state=ground.state(labels=work)) for n in range(3)]
    stays, marked, goes = messages
    await api.hears(
        ground.mailboxes(),
        # The state of one that has not come yet.
        ground.changed(uuid7(), 1, ground.state(labels=work)),
        ground.page(*messages),
        ground.changed(marked.message_id, 2, ground.state(None, "\\Deleted", labels=work)),
        ground.vanished(goes.message_id, 3),
        ground.changed(goes.message_id, 2, ground.state(labels=(*work, "Late"))),
    )
    assert await subjects(ada, in_account(ground, "Work")) == ["No 0"]
    assert await subjects(ada, in_account(ground, "Late")) == []
    await api.hears(
        ground.changed(marked.message_id, 3, ground.state(labels=work)),
        ground.changed(stays.message_id, 2, ground.state(ground.archive, labels=work)),
    )
    assert await subjects(ada, in_inbox(ground, "Work")) == ["No 1"]
    assert sorted(await subjects(ada, in_account(ground, "Work"))) == ["No 0", "No 1"]


async def test_labels_that_a_retelling_did_not_show_are_gone_with_their_messages(
    api: Api, ada: Person, ground: Ground
) -> None:
    stays = ground.message("Stays", state=ground.state(labels=("Work",)))
    lost = ground.message("Lost", state=ground.state(labels=("Work",)))
    await api.hears(ground.mailboxes(), ground.page(stays, lost))
    page = ground.retold(stays, as_of=5)
    await api.hears(
        page,
        AccountRetold(
            tenant_id=ground.tenant_id,
            account_id=ground.account_id,
            listener="api",
            generation=page.generation,
            as_of_revision=5,
            pages=1,
        ),
    )
    await api.sweeps()
    assert await subjects(ada, in_account(ground, "Work")) == ["Stays"]
    assert await api.admin.fetchval("SELECT count(*) FROM api.message_label") == 1


async def test_labels_longer_than_any_server_allows_are_shown_and_not_asked_for(
    api: Api, ada: Person, ground: Ground
) -> None:
    long, longest = "x" * 5000, "y" * LONGEST_LABEL
    message = ground.message(state=ground.state(labels=(long, longest, "a\0b")))
    await api.hears(ground.mailboxes(), ground.page(message))
    (listed,) = await ada.items("/messages", **in_account(ground, longest))
    assert listed["labels"] == ["ab", long, longest]


async def test_a_disconnected_accounts_labels_are_forgotten(
    api: Api, ada: Person, ground: Ground
) -> None:
    await api.hears(ground.page(ground.message(state=ground.state(labels=("Work",)))))
    await ada.http.delete(f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}")
    while await forget_account(api.world.pool):
        pass
    assert await api.admin.fetchval("SELECT count(*) FROM api.message_label") == 0


async def test_the_newest_messages_of_a_label_are_a_walk_along_an_index(
    api: Api, ada: Person, ground: Ground
) -> None:
    for turn in range(20):
        await api.hears(
            ground.page(
                *(
                    ground.message(
                        minutes=turn * 100 + n,
                        state=ground.state(labels=("Rare",) if n == 7 else ("Common",)),
                    )
                    for n in range(100)
                )
            )
        )
    await api.admin.execute("ANALYZE api.message; ANALYZE api.message_label")
    caller = Caller(tenant_id=ada.tenant_id, account_ids=(ground.account_id,))
    async with tenant_transaction(api.world.request_pool, caller) as connection:
        plan = "\n".join(
            row[0]
            for row in await connection.fetch(
                f"""
                EXPLAIN SELECT message_id, subject FROM message
                  JOIN (SELECT tenant_id, message_id, received_at AS labelled_at
                          FROM message_label
                         WHERE tenant_id = '{ada.tenant_id}'
                           AND account_id = '{ground.account_id}' AND label = 'Common')
                    AS labelled USING (tenant_id, message_id)
                 WHERE tenant_id = '{ada.tenant_id}' AND account_id = '{ground.account_id}'
                   AND listed AND (labelled_at, labelled.message_id) < (now(), '{uuid7()}')
                 ORDER BY labelled_at DESC, labelled.message_id DESC LIMIT 50
                """
            )
        )
    assert "Index Only Scan Backward using message_label_pkey" in plan, plan
    assert "Sort" not in plan, plan
    assert "ROW(" in plan.partition("Index Cond")[2].partition("\n")[0], plan


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("\\INBOX", "\\Inbox"),
        ("\\inbox", "\\Inbox"),
        ("Inbox", "Inbox"),
        ("ÄB", "ÄB"),
        ("\\", "\\"),
    ],
)
def test_the_servers_own_labels_are_written_in_one_way(told: str, kept: str) -> None:
    assert label_of(told) == kept
