from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.contracts.account import AccountChanged, AccountState
from shared.contracts.envelope import Problem, decode
from shared.contracts.ids import Kind, read, shown
from shared.contracts.standing import (
    AppliedProfile,
    CheckSync,
    ListQuarantine,
    PauseSync,
    QuarantineAnswer,
    QuarantinedMessage,
    QuarantineTotal,
    ReadStanding,
    ResumeSync,
    Standing,
    StandingAnswer,
)
from tests.api.conftest import Api, Person
from tests.api.mail import Ground

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KINDS = {kind.channel: kind for kind in (PauseSync, ResumeSync, CheckSync)}
WRITES = ("pause", "resume", "check")
READS = ("standing", "budget", "quarantine")


def path_of(ground: Ground) -> str:
    return f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"


async def orders(api: Api) -> list[Any]:
    """What waits for sync, after what connected the account."""
    return [
        decode(row["body"], KINDS[row["subject"]])
        for row in await api.rows("outbox", "position")
        if row["subject"] in KINDS
    ]


async def test_an_account_is_paused_and_resumed_however_often_it_is_asked(
    api: Api, ada: Person, ground: Ground
) -> None:
    path = path_of(ground)
    answers = [
        await ada.http.post(f"{path}:{word}") for word in ("pause", "pause", "resume", "pause")
    ]
    assert [answer.status_code for answer in answers] == [202] * 4
    assert [answer.json()["paused"] for answer in answers] == [True, True, False, True]
    told = await orders(api)
    assert [(type(order), order.version) for order in told] == [
        (PauseSync, 1),
        (PauseSync, 2),
        (ResumeSync, 3),
        (PauseSync, 4),
    ]
    assert {(order.tenant_id, order.account_id) for order in told} == {
        (ground.tenant_id, ground.account_id)
    }
    # What is wanted shows at once; that it is so, when sync tells.
    shown_now = (await ada.http.get(path)).json()
    assert (shown_now["paused"], shown_now["state"]) == (True, "connecting")
    await api.hears(
        AccountChanged(
            tenant_id=ground.tenant_id,
            account_id=ground.account_id,
            revision=5,
            state=AccountState.PAUSED,
            reason="paused_by_owner",
        )
    )
    assert (await ada.http.get(path)).json()["state"] == "paused"
    assert [event["type"] for event in await ada.events()][-1] == "account.state_changed"


async def test_a_look_is_asked_for_and_the_account_is_answered(
    api: Api, ada: Person, ground: Ground
) -> None:
    answer = await ada.http.post(f"{path_of(ground)}:check")
    assert answer.status_code == 202
    assert answer.json() == (await ada.http.get(path_of(ground))).json()
    (order,) = await orders(api)
    assert isinstance(order, CheckSync)
    assert order.account_id == ground.account_id


@pytest.mark.parametrize("word", [*WRITES, *READS])
async def test_nothing_is_done_to_or_shown_of_an_account_that_is_not_ones_own(
    api: Api, ada: Person, ground: Ground, word: str
) -> None:
    method = "post" if word in WRITES else "get"
    nobodys = f"/accounts/{shown(Kind.ACCOUNT, uuid4())}"
    async with api.person() as bob:
        for path in (path_of(ground), nobodys, "/accounts/acc_what"):
            answer = await getattr(bob.http, method)(f"{path}/{word}")
            assert answer.status_code == 404, path
    assert await orders(api) == []
    await ada.http.delete(path_of(ground))
    assert (await getattr(ada.http, method)(f"{path_of(ground)}/{word}")).status_code == 404
    async with api.client() as stranger:
        answer = await getattr(stranger, method)(f"{path_of(ground)}/{word}")
        assert answer.status_code == 401


def a_standing(**more: Any) -> Standing:
    given: dict[str, Any] = {
        "state": AccountState.UNREACHABLE,
        "reason": "rate_limited",
        "server_said": "Request is throttled. Suggested Backoff Time: 92415 milliseconds",
        "state_since": NOON,
        "paused": False,
        "resting_until": NOON + timedelta(seconds=93),
        "resting_reason": "rate_limited",
        "resting_because_asked": True,
        "connections": 2,
        "connections_allowed": 4,
        "bytes_today": 2_100_000_000,
        "bytes_allowed": 2_500_000_000,
        "commands_today": 77,
        "filling_rests_until": NOON + timedelta(hours=12),
        "renews_at": NOON + timedelta(hours=12),
        "quarantined": 3,
    }
    return Standing(**{**given, **more})


async def test_an_owner_sees_what_is_used_what_is_allowed_and_what_is_waited_for(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with api.answering("sync", ReadStanding, StandingAnswer(standing=a_standing())) as asked:
        answer = await ada.http.get(f"{path_of(ground)}/standing")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "account_id": shown(Kind.ACCOUNT, ground.account_id),
        "state": "unreachable",
        "reason": "rate_limited",
        "server_said": "Request is throttled. Suggested Backoff Time: 92415 milliseconds",
        "state_since": "2026-11-20T12:00:00Z",
        "paused": False,
        "resting": {
            "until": "2026-11-20T12:01:33Z",
            "reason": "rate_limited",
            "asked_by_server": True,
        },
        "connections": {"open": 2, "allowed": 4},
        "today": {
            "bytes": 2_100_000_000,
            "bytes_allowed": 2_500_000_000,
            "commands": 77,
            "renews_at": "2026-11-21T00:00:00Z",
        },
        "first_copy_rests_until": "2026-11-21T00:00:00Z",
        "last_check_asked_at": None,
        "quarantined": 3,
    }
    (query,) = asked
    assert query.caller.tenant_id == ada.tenant_id
    assert query.account_id == ground.account_id


async def test_an_owner_sees_what_the_servers_allow_and_whose_word_it_is(
    api: Api, ada: Person, ground: Ground
) -> None:
    standing = a_standing(
        bytes_by="provider",
        connections_by="operator",
        profile=AppliedProfile(
            provider="google",
            title="Google",
            chosen_by="server_id",
            server_name="GImap",
            connections=15,
            bytes_per_day=2_500_000_000,
            messages_per_day=2000,
            files_sent=True,
            quirks=("fleet", "labels"),
        ),
    )
    letter = {"account_id": shown(Kind.ACCOUNT, ground.account_id), "to": ["bob@example.org"]}
    sent = await ada.http.post("/submissions", json={**letter, "subject": "Hi", "text": "Hello"})
    assert sent.status_code == 202, sent.text
    async with api.answering(
        "sync",
        ReadStanding,
        StandingAnswer(standing=standing),
        StandingAnswer(standing=a_standing()),
    ):
        shown_now = (await ada.http.get(f"{path_of(ground)}/budget")).json()
        unknown = (await ada.http.get(f"{path_of(ground)}/budget")).json()
    assert shown_now["bytes"] == {
        "used": 2_100_000_000,
        "allowed": 2_500_000_000,
        "decided_by": "provider",
    }
    assert shown_now["connections"] == {"used": 2, "allowed": 4, "decided_by": "operator"}
    assert shown_now["commands"] == {"used": 77, "allowed": None, "decided_by": None}
    # How many may be sent goes by the server that they are sent by, which nobody knows.
    assert shown_now["messages"] == {"used": 1, "allowed": None, "decided_by": None}
    assert shown_now["profile"]["messages_per_day"] == 2000
    assert shown_now["profile"]["chosen_by"] == "server_id"
    assert shown_now["profile"]["quirks"] == ["fleet", "labels"]
    # A sync of an earlier release says nothing of profiles.
    assert unknown["profile"]["provider"] is None


async def test_an_account_that_rests_for_nothing_says_so(
    api: Api, ada: Person, ground: Ground
) -> None:
    well = a_standing(
        state=AccountState.LIVE, reason=None, resting_until=None, filling_rests_until=None
    )
    async with api.answering("sync", ReadStanding, StandingAnswer(standing=well)):
        answer = await ada.http.get(f"{path_of(ground)}/standing")
    assert answer.json()["resting"] is None
    assert answer.json()["first_copy_rests_until"] is None


@pytest.mark.parametrize("word", READS)
async def test_when_sync_does_not_answer_the_owner_is_told_to_come_again(
    ada: Person, ground: Ground, word: str
) -> None:
    answer = await ada.http.get(f"{path_of(ground)}/{word}")
    assert answer.status_code == 503
    assert answer.json()["code"] == "sync_unavailable"
    assert answer.headers["Retry-After"] == "5"


async def test_an_account_sync_has_not_heard_of_yet_is_to_be_asked_after_again(
    api: Api, ada: Person, ground: Ground
) -> None:
    unknown = StandingAnswer(problem=Problem(code="not_found"))
    async with api.answering("sync", ReadStanding, unknown):
        answer = await ada.http.get(f"{path_of(ground)}/standing")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def a_case(minute: int) -> QuarantinedMessage:
    return QuarantinedMessage(
        quarantine_id=uuid4(),
        mailbox_id=UUID(int=7),
        reason="missing",
        detail="Listed, and not given.",
        size_bytes=None,
        attempts=2,
        noticed_at=NOON + timedelta(minutes=minute, microseconds=1),
        last_tried_at=NOON + timedelta(minutes=minute + 1),
    )


async def test_the_quarantine_is_paged_and_never_names_a_uid(
    api: Api, ada: Person, ground: Ground
) -> None:
    cases = [a_case(2), a_case(1), a_case(0)]
    totals = (QuarantineTotal(reason="missing", count=3),)
    async with api.answering(
        "sync",
        ListQuarantine,
        QuarantineAnswer(messages=tuple(cases[:2]), more=True, totals=totals),
        QuarantineAnswer(messages=tuple(cases[2:]), totals=totals),
    ) as asked:
        path = f"{path_of(ground)}/quarantine"
        first = (await ada.http.get(path, params={"limit": 2})).json()
        cursor = first["next_cursor"]
        second = (await ada.http.get(path, params={"limit": 2, "cursor": cursor})).json()
    assert second["next_cursor"] is None
    assert first["totals"] == second["totals"] == [{"reason": "missing", "count": 3}]
    items = [*first["items"], *second["items"]]
    assert [read(Kind.QUARANTINED, item["id"]) for item in items] == [
        case.quarantine_id for case in cases
    ]
    assert items[0] == {
        "id": shown(Kind.QUARANTINED, cases[0].quarantine_id),
        "mailbox_id": shown(Kind.MAILBOX, UUID(int=7)),
        "reason": "missing",
        "detail": "Listed, and not given.",
        "size_bytes": None,
        "attempts": 2,
        "noticed_at": "2026-11-20T12:02:00.000001Z",
        "last_tried_at": "2026-11-20T12:03:00Z",
    }
    assert [query.after for query in asked] == [
        None,
        (cases[1].noticed_at, cases[1].quarantine_id),
    ]
    assert (await ada.http.get(path, params={"cursor": "what"})).status_code == 400
