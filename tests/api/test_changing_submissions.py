import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from msgspec import structs

from shared.contracts.envelope import decode
from shared.contracts.submission import (
    ChangeSubmission,
    SubmissionAction,
    SubmissionState,
)
from tests.api.conftest import Api, Person
from tests.api.mail import Ground
from tests.api.test_submissions import a_letter, told


async def _asked(api: Api) -> ChangeSubmission:
    async with asyncio.timeout(10):
        while True:
            rows = [
                row
                for row in await api.rows("outbox", "position")
                if row["subject"] == ChangeSubmission.channel
            ]
            if rows:
                return decode(rows[-1]["body"], ChangeSubmission)
            await asyncio.sleep(0.01)


async def changed(
    api: Api, ada: Person, ground: Ground, verb: str, refused: str | None, **body: Any
) -> tuple[ChangeSubmission, httpx.Response]:
    """Ask for it, and let sender answer so."""
    made = (await ada.http.post("/submissions", json=a_letter(ground, undo_seconds=60))).json()
    assert made["state"] == "held"
    path = f"/submissions/{made['id']}"
    ask = (
        ada.http.patch(path, json=body)
        if verb == "reschedule"
        else ada.http.post(f"{path}:{verb}", json=body or None)
    )
    answering = asyncio.create_task(ask)
    command = await _asked(api)
    state = SubmissionState.HELD if refused else SubmissionState.CANCELED
    event = told(ground, made["id"], 2, state)
    await api.hears(structs.replace(event, change_id=command.change_id, change_refused=refused))
    return command, await answering


async def test_what_sender_did_is_answered_at_once(api: Api, ada: Person, ground: Ground) -> None:
    command, answer = await changed(api, ada, ground, "cancel", None)
    assert command.action is SubmissionAction.CANCEL
    assert (answer.status_code, answer.json()["state"]) == (200, "canceled")


@pytest.mark.parametrize(
    ("verb", "code", "status"),
    [
        ("cancel", "cannot_unsend", 409),
        ("cancel", "already_settled", 409),
        ("send-now", "already_settled", 409),
        ("retry", "may_arrive_twice", 409),
        ("retry", "message_forgotten", 410),
    ],
)
async def test_what_sender_refused_is_answered_with_its_reason(
    api: Api, ada: Person, ground: Ground, verb: str, code: str, status: int
) -> None:
    body = {"may_arrive_twice": False} if verb == "retry" else {}
    _, answer = await changed(api, ada, ground, verb, code, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_when_it_is_sent_instead_is_told_to_sender(
    api: Api, ada: Person, ground: Ground
) -> None:
    command, answer = await changed(
        api, ada, ground, "reschedule", None, send_at="2126-01-01T10:00:00+01:00"
    )
    assert command.action is SubmissionAction.RESCHEDULE
    assert command.send_at == datetime(2126, 1, 1, 9, tzinfo=UTC)
    assert answer.status_code == 200


async def test_while_sender_is_away_nothing_is_claimed(
    api: Api, ada: Person, ground: Ground
) -> None:
    made = (await ada.http.post("/submissions", json=a_letter(ground))).json()
    answer = await ada.http.post(f"/submissions/{made['id']}:cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    async with api.person() as eve:
        answer = await eve.http.post(f"/submissions/{made['id']}:cancel")
        assert answer.status_code == 404
