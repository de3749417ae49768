import asyncio
import json
from typing import Any

from msgspec import structs

from shared.contracts.envelope import decode
from shared.contracts.ids import Kind, read, shown
from shared.contracts.mail import Address
from shared.contracts.submission import (
    Fate,
    Recipient,
    SendMessage,
    SendMessages,
    SubmissionChanged,
    SubmissionsChanged,
    SubmissionState,
)
from tests.api.conftest import Api, Person
from tests.api.mail import Ground


def a_letter(ground: Ground, **more: Any) -> dict[str, Any]:
    return {
        "account_id": shown(Kind.ACCOUNT, ground.account_id),
        "to": ["Grace Höpper <grace@example.org>"],
        "subject": "Grüße",
        "text": "Hello",
        **more,
    }


def told(ground: Ground, submission: str, revision: int, state: SubmissionState):
    return SubmissionChanged(
        tenant_id=ground.tenant_id,
        account_id=ground.account_id,
        submission_id=read(Kind.SUBMISSION, submission),
        revision=revision,
        state=state,
        message_id="1@example.org",
        recipients=(Recipient(email="grace@example.org", fate=Fate.ACCEPTED, code=250),),
        attempts=1,
    )


async def test_a_submission_is_handed_to_sender_and_shows_its_fate(
    api: Api, ada: Person, ground: Ground
) -> None:
    answer = await ada.http.post(
        "/submissions",
        json=a_letter(
            ground,
            cc=[{"name": "Alan", "email": "alan@example.org"}],
            bcc=["secret@bücher.example"],
        ),
    )
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/api/v1/submissions/{made['id']}"
    assert made["state"] == "queued"
    assert made["to"] == [{"name": "Grace Höpper", "email": "grace@example.org"}]
    *_, row = await api.rows("outbox", "position")
    command = decode(row["body"], SendMessage)
    assert command.sender == Address("Ada", "ada@example.org")
    assert command.to == (Address("Grace Höpper", "grace@example.org"),)
    assert command.cc == (Address("Alan", "alan@example.org"),)
    assert command.bcc == (Address("", "secret@xn--bcher-kva.example"),)
    assert (command.subject, command.text, command.html) == ("Grüße", "Hello", None)
    assert shown(Kind.SUBMISSION, command.submission_id) == made["id"]

    queued = told(ground, made["id"], 1, SubmissionState.QUEUED)
    late = told(ground, made["id"], 2, SubmissionState.SENDING)
    accepted = told(ground, made["id"], 3, SubmissionState.ACCEPTED)
    await api.hears(queued, accepted, accepted, late)
    filed = structs.replace(told(ground, made["id"], 4, SubmissionState.ACCEPTED), filed=True)
    await api.hears(filed)
    found = (await ada.http.get(f"/submissions/{made['id']}")).json()
    assert (found["state"], found["filed"], found["message_id"]) == (
        "accepted",
        True,
        "1@example.org",
    )
    assert found["subject"] == "Grüße"
    assert found["recipients"][0]["fate"] == "accepted"
    assert [event["type"] for event in await ada.events()] == [
        "account.created",
        "submission.created",
        "submission.queued",
        "submission.accepted",
    ]


async def test_a_request_repeated_with_its_key_sends_once(
    api: Api, ada: Person, ground: Ground
) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await ada.http.post("/submissions", json=a_letter(ground), headers=key)
    again = await ada.http.post("/submissions", json=a_letter(ground), headers=key)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    other = await ada.http.post("/submissions", json=a_letter(ground, subject="Other"), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    sent = [
        row for row in await api.rows("outbox", "position") if row["subject"] == SendMessage.channel
    ]
    assert len(sent) == 1
    async with api.person() as eve:
        hers = await eve.connects()
        answer = await eve.http.post("/submissions", json=a_letter(hers), headers=key)
        assert answer.status_code == 202
        assert answer.json()["id"] != first.json()["id"]


async def test_submissions_are_listed_newest_first(api: Api, ada: Person, ground: Ground) -> None:
    for n in range(3):
        await ada.http.post("/submissions", json=a_letter(ground, subject=str(n)))
    page = (await ada.http.get("/submissions", params={"limit": 2})).json()
    assert [item["subject"] for item in page["items"]] == ["2", "1"]
    rest = await ada.items("/submissions", cursor=page["next_cursor"])
    assert [item["subject"] for item in rest] == ["0"]


async def test_a_message_that_is_too_large_is_refused(
    api: Api, ada: Person, ground: Ground
) -> None:
    answer = await ada.http.post("/submissions", json=a_letter(ground, text="x" * 1_100_000))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_messages_sent_together_are_each_as_if_alone(
    api: Api, ada: Person, ground: Ground
) -> None:
    wrong = {"from": "eve@example.net"}
    letters = [
        a_letter(ground, subject=f"Number {n}", **(wrong if n == 7 else {})) for n in range(20)
    ]
    answers = await asyncio.gather(
        *(
            ada.http.post("/submissions", json=letter, headers={"X-Request-ID": f"request-{n}"})
            for n, letter in enumerate(letters)
        )
    )
    assert {n for n, answer in enumerate(answers) if answer.status_code != 202} == {7}
    assert answers[7].json()["code"] == "sender_not_allowed"
    sent = [command for row in await api.rows("outbox", "position") for command in commands_in(row)]
    assert {command.subject for command in sent} == {f"Number {n}" for n in range(20) if n != 7}
    assert {shown(Kind.SUBMISSION, command.submission_id) for command in sent} == {
        answer.json()["id"] for n, answer in enumerate(answers) if n != 7
    }
    events = [event for event in await ada.events() if event["type"] == "submission.created"]
    assert len(events) == 19
    rows = await api.rows("event_log", "seq")
    acted = {
        json.loads(row["actor"])["request"] for row in rows if row["type"] == "submission.created"
    }
    assert acted == {f"request-{n}" for n in range(20) if n != 7}


async def test_one_key_used_at_the_same_moment_sends_once(
    api: Api, ada: Person, ground: Ground
) -> None:
    key = {"Idempotency-Key": "k2"}
    answers = await asyncio.gather(
        *(ada.http.post("/submissions", json=a_letter(ground), headers=key) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    sent = [command for row in await api.rows("outbox", "position") for command in commands_in(row)]
    assert len(sent) == 1


def commands_in(row: Any) -> list[SendMessage]:
    if row["subject"] == SendMessages.channel:
        return list(decode(row["body"], SendMessages).messages)
    return [decode(row["body"], SendMessage)] if row["subject"] == SendMessage.channel else []


async def test_what_is_told_in_a_page_is_shown_as_if_alone(
    api: Api, ada: Person, ground: Ground
) -> None:
    made = [(await ada.http.post("/submissions", json=a_letter(ground))).json() for _ in range(3)]
    page = SubmissionsChanged(
        tenant_id=ground.tenant_id,
        changes=tuple(told(ground, one["id"], 1, SubmissionState.ACCEPTED) for one in made),
    )
    await api.hears(page, page)
    assert {one["state"] for one in await ada.items("/submissions")} == {"accepted"}
    events = [event["type"] for event in await ada.events()]
    assert events.count("submission.accepted") == 3
