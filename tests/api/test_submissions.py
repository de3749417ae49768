from typing import Any

from msgspec import structs

from shared.contracts.envelope import decode
from shared.contracts.ids import Kind, read, shown
from shared.contracts.mail import Address
from shared.contracts.submission import (
    Fate,
    Recipient,
    SendMessage,
    SubmissionChanged,
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
