from shared.contracts.ids import Kind, shown
from tests.api.conftest import Api, Person
from tests.api.mail import Ground


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
