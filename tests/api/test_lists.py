import asyncio
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.api.domain.told import keywords_of
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import ContentAnswer, MailboxRole, MessageContent, ReadContent
from shared.contracts.search import Found, SearchAnswer, SearchMessages
from tests.api.conftest import Api, Person
from tests.api.mail import NOON, Ground


async def test_messages_are_listed_newest_first_page_by_page(
    api: Api, ada: Person, ground: Ground
) -> None:
    messages = [ground.message(f"No {n}", minutes=n) for n in range(7)]
    await api.hears(ground.mailboxes(), ground.page(*messages))
    inbox = shown(Kind.MAILBOX, ground.inbox)

    subjects: list[str] = []
    cursor = None
    while True:
        params = {"mailbox_id": inbox, "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await ada.http.get("/messages", params=params)).json()
        subjects += [item["subject"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert subjects == [f"No {n}" for n in reversed(range(7))]
    by_account = await ada.items("/messages", account_id=shown(Kind.ACCOUNT, ground.account_id))
    assert [item["subject"] for item in by_account] == subjects


async def test_what_came_in_is_one_list_over_all_accounts(
    api: Api, ada: Person, ground: Ground
) -> None:
    other = Ground(ground.tenant_id, (await ada.connects()).account_id)
    for n, each in enumerate((ground, other)):
        await api.hears(
            each.mailboxes(inbox_role=MailboxRole.INBOX),
            each.page(
                *(each.message(f"No {2 * m + n}", minutes=2 * m + n) for m in range(3)),
                each.message("Kept elsewhere", state=each.state(each.archive)),
            ),
        )
    pages: list[list[str]] = []
    cursor = None
    while not pages or cursor:
        params = {"role": "inbox", "limit": 4} | ({"cursor": cursor} if cursor else {})
        page = (await ada.http.get("/messages", params=params)).json()
        pages.append([item["subject"] for item in page["items"]])
        cursor = page["next_cursor"]
    assert pages == [["No 5", "No 4", "No 3", "No 2"], ["No 1", "No 0"]]
    of_one = await ada.items(
        "/messages", role="inbox", account_id=shown(Kind.ACCOUNT, other.account_id)
    )
    assert [item["subject"] for item in of_one] == ["No 5", "No 3", "No 1"]
    async with api.person() as eve:
        assert await eve.items("/messages", role="inbox") == []


async def test_a_thread_is_told_from_its_beginning_over_all_mailboxes(
    api: Api, ada: Person, ground: Ground
) -> None:
    await api.hears(
        ground.mailboxes(),
        ground.page(
            ground.message("Lunch", minutes=1),
            ground.message("Re: Lunch", minutes=2, state=ground.state(ground.archive)),
            ground.message("Re: Re: Lunch", minutes=3),
        ),
    )
    thread = shown(Kind.THREAD, UUID(int=7))
    told = (await ada.http.get(f"/threads/{thread}")).json()
    assert [item["subject"] for item in told["items"]] == ["Lunch", "Re: Lunch", "Re: Re: Lunch"]
    assert (told["id"], told["is_cut"]) == (thread, False)


async def numbers(ada: Person, ground: Ground) -> tuple[int, int]:
    """What stands beside the inbox."""
    (inbox,) = (
        box
        for box in await ada.items("/mailboxes")
        if box["id"] == shown(Kind.MAILBOX, ground.inbox)
    )
    return inbox["message_count"], inbox["unread_count"]


@pytest.mark.parametrize("mark", ["\\Deleted", "\\DELETED"])
async def test_a_message_marked_for_removal_is_hidden_until_the_mark_goes(
    api: Api, ada: Person, ground: Ground, mark: str
) -> None:
    stays, goes = ground.message("stays"), ground.message("goes", minutes=1)
    await api.hears(ground.mailboxes(), ground.page(stays, goes))
    places = [
        {"mailbox_id": shown(Kind.MAILBOX, ground.inbox)},
        {"account_id": shown(Kind.ACCOUNT, ground.account_id)},
    ]
    assert await numbers(ada, ground) == (2, 2)

    await api.hears(ground.changed(goes.message_id, 2, ground.state(None, mark)))
    for place in places:
        assert [item["subject"] for item in await ada.items("/messages", **place)] == ["stays"]
    assert await numbers(ada, ground) == (1, 1)
    found = SearchAnswer(found=(Found(message_id=goes.message_id, received_at=NOON),))
    async with api.answering("indexer", SearchMessages, found):
        assert await ada.items("/search", q="goes") == []
    content = MessageContent(text="Hi", html=None, headers=(), text_characters=2, html_characters=0)
    async with api.answering("sync", ReadContent, ContentAnswer(content=content)):
        opened = await ada.http.get(f"/messages/{shown(Kind.MESSAGE, goes.message_id)}")
    assert (opened.status_code, opened.json()["keywords"]) == (200, ["\\Deleted"])

    await api.hears(ground.changed(goes.message_id, 3, ground.state(None, "\\Seen")))
    for place in places:
        shown_now = [item["subject"] for item in await ada.items("/messages", **place)]
        assert shown_now == ["goes", "stays"]
    assert await numbers(ada, ground) == (2, 1)

    events = [event for event in await ada.events() if event["type"] == "message.updated"]
    assert [event["data"]["keywords"] for event in events] == [["\\Deleted"], ["\\Seen"]]


async def test_a_message_that_comes_marked_for_removal_is_listed_once_the_mark_goes(
    api: Api, ada: Person, ground: Ground
) -> None:
    message = ground.message(state=ground.state(None, "\\Deleted", "\\Seen"))
    await api.hears(ground.mailboxes(), ground.page(message))
    assert await numbers(ada, ground) == (0, 0)
    await api.hears(ground.changed(message.message_id, 2, ground.state(None)))
    assert await numbers(ada, ground) == (1, 1)
    await api.hears(ground.changed(message.message_id, 3, ground.state(None, "\\Deleted")))
    await api.hears(ground.vanished(message.message_id, 4))
    assert await numbers(ada, ground) == (0, 0)


async def test_many_messages_marked_at_once_change_the_numbers_once_and_rightly(
    api: Api, ada: Person, ground: Ground
) -> None:
    messages = [
        ground.message(minutes=n, state=ground.state(None, *(["\\Seen"] if n % 3 else [])))
        for n in range(90)
    ]
    await api.hears(ground.mailboxes(), ground.page(*messages))
    assert await numbers(ada, ground) == (90, 30)
    await api.hears_at_once(
        *(
            ground.changed(message.message_id, 2, ground.state(None, "\\Deleted", "\\Seen"))
            for message in messages[:60]
        )
    )
    assert await numbers(ada, ground) == (30, 10)


def test_flags_are_the_same_flag_in_any_case() -> None:
    state = Ground(uuid7(), uuid7()).state(None, "\\SEEN", "\\seen", "\\flagged", "$Junk", "$junk")
    assert keywords_of(state) == ["$Junk", "$junk", "\\Flagged", "\\Seen"]


async def test_what_takes_too_long_is_given_up_and_may_be_asked_again_later(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with api.admin.transaction():
        await api.admin.execute("LOCK TABLE api.mailbox IN ACCESS EXCLUSIVE MODE")
        asking = asyncio.create_task(ada.http.get("/mailboxes"))
        # What its time limit does, done as soon as it waits.
        while not await api.admin.fetchval(
            "SELECT pg_cancel_backend(pid) FROM pg_locks"
            " WHERE NOT granted AND relation = $1::regclass",
            "api.mailbox",
        ):
            await asyncio.sleep(0.01)
        answer = await asking
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json()["code"], answer.headers["Retry-After"]) == ("too_busy", "10")
    assert (await ada.http.get("/mailboxes")).status_code == 200
