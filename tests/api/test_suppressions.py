"""Addresses that a tenant sends nothing to, as its people see and change them."""

from datetime import UTC, datetime

from shared.contracts.envelope import decode
from shared.contracts.ids import Kind, shown
from shared.contracts.submission import (
    ChangeSuppression,
    ListSuppressions,
    SendMessage,
    Suppression,
    SuppressionReason,
    SuppressionsAnswer,
)
from tests.api.conftest import Api, Person
from tests.api.mail import Ground

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def suppressed(email: str) -> Suppression:
    return Suppression(email=email, reason=SuppressionReason.BOUNCED, said="gone", created_at=NOON)


async def test_the_list_is_read_page_by_page_as_sender_has_it(api: Api, ada: Person) -> None:
    both = SuppressionsAnswer(suppressions=(suppressed("a@x.org"), suppressed("b@x.org")))
    rest = SuppressionsAnswer(suppressions=both.suppressions[1:])
    async with api.answering("sender", ListSuppressions, both, rest) as asked:
        first = (await ada.http.get("/suppressions", params={"limit": 1})).json()
        assert [one["email"] for one in first["items"]] == ["a@x.org"]
        assert first["items"][0]["reason"] == "bounced"
        last = await ada.http.get("/suppressions", params={"cursor": first["next_cursor"]})
    assert [one["email"] for one in last.json()["items"]] == ["b@x.org"]
    assert last.json()["next_cursor"] is None
    assert [(one.after, one.caller.tenant_id) for one in asked] == [
        (None, ada.tenant_id),
        ("a@x.org", ada.tenant_id),
    ]


async def test_a_strange_cursor_and_an_absent_sender_are_told_apart(api: Api, ada: Person) -> None:
    answer = await ada.http.get("/suppressions", params={"cursor": "é"})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
    answer = await ada.http.get("/suppressions")
    assert (answer.status_code, answer.json()["code"]) == (503, "sending_unavailable")


async def test_an_address_is_put_on_the_list_and_taken_off(api: Api, ada: Person) -> None:
    added = await ada.http.post("/suppressions", json={"email": "bob@example.org", "comment": "x"})
    removed = await ada.http.delete("/suppressions", params={"email": "bob@example.org"})
    assert (added.status_code, removed.status_code) == (202, 202)
    told = [
        decode(row["body"], ChangeSuppression)
        for row in await api.rows("outbox", "position")
        if row["subject"] == ChangeSuppression.channel
    ]
    assert [(one.email, one.suppressed, one.said) for one in told] == [
        ("bob@example.org", True, "x"),
        ("bob@example.org", False, None),
    ]
    assert {one.tenant_id for one in told} == {ada.tenant_id}
    for wrong in ("nobody", "a@b@c"):
        answer = await ada.http.delete("/suppressions", params={"email": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_who_sends_may_say_that_the_list_does_not_count(
    api: Api, ada: Person, ground: Ground
) -> None:
    answer = await ada.http.post(
        "/submissions",
        json={
            "account_id": shown(Kind.ACCOUNT, ground.account_id),
            "to": ["bob@example.org"],
            "text": "Still there?",
            "ignore_suppressions": True,
        },
    )
    assert answer.status_code == 202
    (command,) = [
        decode(row["body"], SendMessage)
        for row in await api.rows("outbox", "position")
        if row["subject"] == SendMessage.channel
    ]
    assert command.ignore_suppressions
