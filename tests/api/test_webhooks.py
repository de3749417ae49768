import asyncio
import base64
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from services.api.actions.claim_lanes import claim_lanes
from services.api.actions.forget_account import forget_account
from services.api.actions.forget_old import trim_log
from services.api.actions.lose_untold import lose_untold
from services.api.domain.logbook import EventType
from services.api.domain.webhooks import (
    CloudEvent,
    Envelope,
    asked_pause,
    pause_before,
    shown_secret,
    signed_headers,
)
from services.api.http.event_types import example_of
from services.api.metrics import WEBHOOK_DELIVERIES
from services.api.workers.webhooks import tell_webhooks
from shared.contracts.ids import Kind, read, shown
from tests.api.conftest import Api, Person, running_api
from tests.api.receiver import OK, Receiver, answer, receiving
from tests.api.test_bad_input import is_a_problem
from tests.api.test_event_queries import reading_queries
from tests.platform import Platform


class Clock:
    """The time that a gateway goes by, which a test may move."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_hooked(shared_platform: Platform, seal_directory: Path) -> AsyncIterator[Api]:
    """A gateway that tells webhooks, also on this machine and without TLS."""
    async with hooked_api(shared_platform, seal_directory) as api:
        yield api


@pytest_asyncio.fixture(loop_scope="session")
async def hooked(platform: Platform, shared_hooked: Api) -> Api:
    """That gateway, with no row in its tables, at the time of now."""
    clock = shared_hooked.world.clock
    assert isinstance(clock, Clock)
    clock.ahead = timedelta()
    return shared_hooked


@asynccontextmanager
async def hooked_api(platform: Platform, seal_directory: Path, **more: Any) -> AsyncGenerator[Api]:
    said: dict[str, Any] = {
        "webhook_allow_http": True,
        "dial_allowed_networks": (ip_network("127.0.0.0/8"),),
        "webhook_seconds": 4.0,
        "webhook_retry_seconds": 0.02,
        "clock": Clock(),
        **more,
    }
    async with running_api(platform, seal_directory, **said) as api:
        telling = asyncio.create_task(tell_webhooks(api.world))
        try:
            yield api
        finally:
            assert not telling.done() or telling.exception() is None, telling.exception()
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="session")
async def ann(hooked: Api) -> AsyncIterator[Person]:
    async with hooked.person() as person:
        yield person


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def hook(person: Person, receiver: Receiver, **more: Any) -> dict[str, Any]:
    answer = await person.http.post("/webhooks", json={"url": receiver.url, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def look(person: Person, webhook: dict[str, Any]) -> dict[str, Any]:
    answer = await person.http.get(f"/webhooks/{webhook['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def do(person: Person, webhook: dict[str, Any], verb: str, **body: Any) -> dict[str, Any]:
    has_body = body or verb in {"skip", "rotate-secret"}
    answer = await person.http.post(
        f"/webhooks/{webhook['id']}:{verb}", json=body if has_body else None
    )
    assert answer.status_code in {200, 202}, answer.text
    return answer.json()


async def deliveries(person: Person, webhook: dict[str, Any], **params: Any) -> list[Any]:
    return await person.items(f"/webhooks/{webhook['id']}/deliveries", **params)


def moves(api: Api, **by: float) -> None:
    clock = api.world.clock
    assert isinstance(clock, Clock)
    clock.ahead += timedelta(**by)
    api.world.to_deliver.set()


def subjects(events: list[dict[str, Any]]) -> list[str]:
    return [one["data"].get("subject", "") for one in events]


# --- What is sent ---------------------------------------------------------------------------------


def test_a_signature_is_that_of_the_standard() -> None:
    told = Envelope(event_id="msg_p5jXN8AQM9LWM0D4loKWxJek", type="t", body=b'{"test": 2432232314}')
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    assert signed_headers(told, [secret], at=at) == [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ]
    assert shown_secret(secret) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_pauses_double_up_to_an_hour_and_are_spread() -> None:
    first = timedelta(seconds=5)
    middle = [pause_before(n, first=first, random=0.5) for n in (1, 2, 3, 11, 500)]
    assert middle == [
        timedelta(seconds=5),
        timedelta(seconds=10),
        timedelta(seconds=20),
        timedelta(hours=1),
        timedelta(hours=1),
    ]
    assert pause_before(1, first=first, random=0.0) == first / 2
    assert pause_before(1, first=first, random=1.0) == first * 1.5


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("120", 120),
        ("9" * 40, 86400),
        ("-1", 0),
        ("soon", 0),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 22 Nov 2099 11:00:00 GMT", 86400),
    ],
)
def test_a_server_may_ask_to_be_left_alone_for_a_while(said: str | None, seconds: int) -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert asked_pause(said, now) == timedelta(seconds=seconds)


async def test_an_endpoint_is_told_what_happens_signed_and_as_the_log_has_it(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver)
    ground = await ann.connects()
    await hooked.hears(ground.page(ground.message("Lunch")))
    created, received = await receiver.has(2)
    logged = {event["id"]: event for event in await ann.events()}
    assert [created["type"], received["type"]] == ["account.created", "message.received"]
    for event, told in zip((created, received), receiver.told, strict=True):
        known = logged[event["id"]]
        account = shown(Kind.ACCOUNT, ground.account_id)
        tenant = shown(Kind.TENANT, ann.tenant_id)
        assert event == {
            "specversion": "1.0",
            "id": known["id"],
            "source": f"/tenants/{tenant}/accounts/{account}",
            "type": known["type"],
            "time": known["occurred_at"],
            "datacontenttype": "application/json",
            "tenantid": tenant,
            "accountid": account,
            "cursor": known["cursor"],
            "data": known["data"],
        }
        assert told.line == "POST /hook HTTP/1.1"
        assert told.headers["content-type"] == "application/cloudevents+json"
        assert told.headers["webhook-id"] == event["id"]
        sent = int(told.headers["webhook-timestamp"])
        assert abs(sent - datetime.now(UTC).timestamp()) < 60
        assert told.is_signed_with(webhook["secret"])
    # One line serves one account's events one after the other.
    assert receiver.connections <= 2


async def test_an_endpoint_hears_nothing_of_what_was_before_it(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    ground = await ann.connects()
    await hook(ann, receiver)
    await hooked.hears(ground.page(ground.message("after")))
    await receiver.has(1)
    assert receiver.types == ["message.received"]


async def test_an_endpoint_is_told_what_it_asked_for(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    ground, other = await ann.connects(), await ann.connects()
    account = shown(Kind.ACCOUNT, ground.account_id)
    await hook(ann, receiver, types=["message.received"], account_ids=[account])
    await hooked.hears(
        other.page(other.message("other")), ground.mailboxes(), ground.page(ground.message("mine"))
    )
    await hooked.hears(ground.page(ground.message("more")))
    assert subjects(await receiver.has(2)) == ["mine", "more"]


async def test_events_of_one_account_come_in_order_and_accounts_do_not_wait_for_each_other(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    slow, quick = await ann.connects(), await ann.connects()
    slow_id = shown(Kind.ACCOUNT, slow.account_id)
    open_up = False

    def reply(event: dict[str, Any]) -> bytes:
        return answer("503 Busy") if event["accountid"] == slow_id and not open_up else OK

    receiver.reply = reply
    await hook(ann, receiver, types=["message.received"])
    for n in range(5):
        await hooked.hears(slow.page(slow.message(f"s{n}")), quick.page(quick.message(f"q{n}")))
    assert subjects(await receiver.has(5)) == [f"q{n}" for n in range(5)]
    open_up = True
    assert subjects((await receiver.has(10))[5:]) == [f"s{n}" for n in range(5)]
    told = [one.event["data"]["subject"] for one in receiver.told]
    assert told.index("s1") > told.index("s0")
    assert [one for one in told if one == "s0"][1:], "it was tried again"


async def test_an_endpoint_that_never_answers_keeps_nobody_else_waiting(
    platform: Platform, seal_directory: Path
) -> None:
    async with (
        hooked_api(
            platform, seal_directory, webhook_deliveries_at_once=4, webhook_seconds=600.0
        ) as api,
        api.person() as ann,
        receiving() as silent,
        receiving() as good,
    ):
        silent.says(None)
        webhook = await hook(ann, silent, types=["message.received"])
        await hook(ann, good, types=["message.received"])
        grounds = [await ann.connects() for _ in range(12)]
        # One of many accounts is asked at a time of an endpoint that fails.
        await api.admin.execute(
            "UPDATE api.webhook SET failures = 3, failing_since = now() WHERE webhook_id = $1",
            read(Kind.WEBHOOK, webhook["id"]),
        )
        await api.hears(*(ground.page(ground.message(str(n))) for n, ground in enumerate(grounds)))
        await good.has(12)
        assert len(silent.told) == 1


@pytest.mark.parametrize(
    ("reply", "result", "status"),
    [
        (answer("500 Broken", body=b"no \x00 \xff"), "refused", 500),
        (answer("302 Found", "Location: /hook"), "refused", 302),
        (answer("404 Not Found"), "refused", 404),
        (b"", "broken", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "broken", None),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "broken", None),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "broken", None),
        (None, "timed_out", None),
    ],
)
async def test_what_is_not_taken_is_tried_again_and_the_log_says_why(
    hooked: Api,
    ann: Person,
    receiver: Receiver,
    reply: bytes | None,
    result: str,
    status: int | None,
) -> None:
    before = WEBHOOK_DELIVERIES.labels(result)._value.get()  # pyright: ignore[reportPrivateUsage]
    ground = await ann.connects()
    receiver.says(reply)
    webhook = await hook(ann, receiver)
    await hooked.hears(ground.page(ground.message("Lunch"), ground.message("Dinner", minutes=1)))
    await receiver.until(lambda self: len(self.told) >= 2)
    receiver.says(OK)
    assert sorted(subjects(await receiver.has(2))) == ["Dinner", "Lunch"]
    first = receiver.told[0]
    again = [one for one in receiver.told if one.headers["webhook-id"] == first.event["id"]]
    assert {one.body for one in again} == {first.body}
    failed = (await deliveries(ann, webhook, result=result))[-1]
    assert (failed["status"], failed["attempt"]) == (status, 1)
    assert failed["detail"]
    assert failed["event_id"] == first.event["id"]
    assert failed["milliseconds"] >= 0
    after = WEBHOOK_DELIVERIES.labels(result)._value.get()  # pyright: ignore[reportPrivateUsage]
    assert after > before
    *_, last = reversed(await deliveries(ann, webhook, event=first.event["id"]))
    assert last["result"] == "ok"
    assert last["attempt"] >= 2
    assert last["response_head"] == "HTTP/1.1 204 No Content"


async def test_an_endpoint_that_is_not_there_is_unreachable(hooked: Api, ann: Person) -> None:
    async with receiving() as gone:
        webhook = await hook(ann, gone)
    said = await do(ann, webhook, "test")
    assert said["result"] == "unreachable"
    assert said["detail"] == "The server refused the connection: nothing listens on this port."


async def test_a_server_without_a_good_certificate_is_told_nothing(
    hooked: Api, ann: Person, tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key)),
        *("-out", str(certificate)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    url = f"https://localhost:{port}/"
    answer = await ann.http.post("/webhooks", json={"url": url})
    said = await do(ann, answer.json(), "test")
    server.close()
    assert said["result"] == "unreachable"
    assert said["detail"].startswith("The certificate was refused")
    assert receiver.told == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "ftp://example.org/",
        "https://",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest",
        "https://user:secret@example.org/",
        "https://example.org:25/",
        "nonsense",
    ],
)
async def test_events_go_over_tls_and_to_no_private_network(
    api: Api, ada: Person, url: str
) -> None:
    answer = await ada.http.post("/webhooks", json={"url": url})
    problem = is_a_problem(answer)
    assert (problem["code"], answer.status_code) == ("webhook_url_refused", 422)
    assert problem["errors"][0]["pointer"] == "/url"
    made = (await ada.http.post("/webhooks", json={"url": "https://example.org/"})).json()
    answer = await ada.http.patch(f"/webhooks/{made['id']}", json={"url": url})
    assert is_a_problem(answer)["code"] == "webhook_url_refused"


async def test_a_name_that_stands_for_a_private_network_is_not_dialled(
    api: Api, ada: Person, receiver: Receiver
) -> None:
    answer = await ada.http.post("/webhooks", json={"url": f"https://localhost:{receiver.port}/"})
    said = await do(ada, answer.json(), "test")
    assert said["result"] == "unreachable"
    assert "private network" in said["detail"]
    assert receiver.connections == 0


# --- Looking after them ---------------------------------------------------------------------------


async def test_a_test_is_sent_at_once_also_to_one_that_is_paused(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver)
    await do(ann, webhook, "pause")
    said = await do(ann, webhook, "test")
    assert (said["result"], said["status"], said["type"]) == ("ok", 204, "webhook.test")
    (told,) = receiver.told
    assert told.event["data"] == {"id": webhook["id"]}
    assert told.event["cursor"] is None
    assert told.is_signed_with(webhook["secret"])
    assert [one["id"] for one in await deliveries(ann, webhook)] == [said["id"]]
    assert await ann.events() == []


async def test_a_paused_webhook_is_told_all_of_it_when_it_goes_on(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver, types=["message.received"])
    ground = await ann.connects()
    assert (await do(ann, webhook, "pause"))["paused_because"] == "asked"
    for n in range(3):
        await hooked.hears(ground.page(ground.message(str(n))))
    async with asyncio.timeout(10):
        while (waiting := (await look(ann, webhook))["backlog"])["events"] < 3:
            await asyncio.sleep(0.02)
    assert waiting["accounts"] == 1
    assert waiting["next_attempt_at"] is None
    assert receiver.told == []
    assert (await do(ann, webhook, "resume"))["state"] == "active"
    assert subjects(await receiver.has(3)) == ["0", "1", "2"]
    async with asyncio.timeout(10):
        while (await look(ann, webhook))["backlog"]["events"]:
            await asyncio.sleep(0.02)


async def test_a_secret_is_shown_once_and_two_are_good_while_one_follows_the_other(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver)
    first = webhook["secret"]
    assert first.startswith("whsec_")
    assert "secret" not in await look(ann, webhook)
    assert first not in (await ann.http.get("/webhooks")).text
    kept = str(await hooked.rows("webhook_secret", "created_at"))
    assert base64.b64decode(first.removeprefix("whsec_")).hex() not in kept
    second = (await do(ann, webhook, "rotate-secret"))["secret"]
    await do(ann, webhook, "test")
    assert receiver.told[-1].is_signed_with(first)
    assert receiver.told[-1].is_signed_with(second)
    assert [one["ends_at"] is None for one in (await look(ann, webhook))["secrets"]] == [
        True,
        False,
    ]

    moves(hooked, hours=25)
    await do(ann, webhook, "test")
    assert not receiver.told[-1].is_signed_with(first)
    assert receiver.told[-1].is_signed_with(second)

    third = (await do(ann, webhook, "rotate-secret", overlap_hours=1))["secret"]
    fourth = (await do(ann, webhook, "rotate-secret", overlap_hours=1))["secret"]
    await do(ann, webhook, "test")
    good = [receiver.told[-1].is_signed_with(one) for one in (second, third, fourth)]
    assert good == [False, True, True]
    fifth = (await do(ann, webhook, "rotate-secret", overlap_hours=0))["secret"]
    await do(ann, webhook, "test")
    assert [receiver.told[-1].is_signed_with(one) for one in (fourth, fifth)] == [False, True]


async def test_what_was_told_can_be_told_again_from_any_place(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver, types=["message.received"])
    one, two = await ann.connects(), await ann.connects()
    for n in range(4):
        await hooked.hears(one.page(one.message(f"a{n}")), two.page(two.message(f"b{n}")))
    await receiver.has(8)
    half = next(event for event in await ann.events() if event["data"].get("subject") == "b1")
    receiver.taken.clear()
    await do(ann, webhook, "replay", after=half["cursor"])
    await receiver.has(4)
    again = subjects(receiver.taken)
    assert [name for name in again if name[0] == "a"] == ["a2", "a3"]
    assert [name for name in again if name[0] == "b"] == ["b2", "b3"]
    receiver.taken.clear()
    await do(ann, webhook, "replay", after="earliest")
    await receiver.has(8)
    answer = await ann.http.post(f"/webhooks/{webhook['id']}:replay", json={"after": "9-9"})
    assert is_a_problem(answer)["code"] == "cursor_invalid"


async def test_a_replay_passes_nothing_over_that_waits(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver, types=["message.received"])
    ground = await ann.connects()
    await do(ann, webhook, "pause")
    for n in range(4):
        await hooked.hears(ground.page(ground.message(str(n))))
    last = (await ann.events())[-1]["cursor"]
    await do(ann, webhook, "replay", after=last)
    await do(ann, webhook, "resume")
    assert subjects(await receiver.has(4)) == ["0", "1", "2", "3"]


async def test_what_an_endpoint_chokes_on_can_be_skipped(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    ground, other = await ann.connects(), await ann.connects()
    receiver.reply = lambda event: (
        answer("500 Choked") if event["data"]["subject"] == "poison" else OK
    )
    webhook = await hook(ann, receiver, types=["message.received"])
    await hooked.hears(ground.page(ground.message("poison")))
    await hooked.hears(ground.page(ground.message("food")))
    await receiver.until(lambda self: len(self.told) >= 2)
    account = {"account_id": shown(Kind.ACCOUNT, other.account_id)}
    await do(ann, webhook, "skip", **account)  # which is not stuck
    tried = len(receiver.told)
    await receiver.until(lambda self: len(self.told) > tried)
    assert receiver.taken == []
    await do(ann, webhook, "skip")
    assert subjects(await receiver.has(1)) == ["food"]
    (skipped,) = await deliveries(ann, webhook, result="skipped")
    assert skipped["event_id"] == receiver.told[0].event["id"]


async def test_a_backlog_can_be_given_up_as_a_whole_or_of_one_account(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver, types=["message.received"])
    ground, other = await ann.connects(), await ann.connects()
    await do(ann, webhook, "pause")
    await hooked.hears(ground.page(ground.message("1")), other.page(other.message("2")))
    async with asyncio.timeout(10):
        while (await look(ann, webhook))["backlog"]["events"] < 2:
            await asyncio.sleep(0.02)
    account = shown(Kind.ACCOUNT, ground.account_id)
    await do(ann, webhook, "skip", account_id=account, until="latest")
    assert (await look(ann, webhook))["backlog"]["events"] == 1
    await do(ann, webhook, "skip", until="latest")
    assert (await look(ann, webhook))["backlog"]["events"] == 0
    await do(ann, webhook, "resume")
    await hooked.hears(ground.page(ground.message("3")))
    assert subjects(await receiver.has(1)) == ["3"]


async def test_a_change_counts_for_what_waits_and_a_webhook_that_is_gone_is_told_nothing(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    ground = await ann.connects()
    webhook = await hook(ann, receiver, description="Helpdesk")
    await do(ann, webhook, "pause")
    await hooked.hears(ground.mailboxes(), ground.page(ground.message("Lunch")))
    changed = await ann.http.patch(
        f"/webhooks/{webhook['id']}", json={"types": ["message.received"]}
    )
    assert changed.json()["description"] == "Helpdesk"
    await do(ann, webhook, "resume")
    await receiver.has(1)
    assert receiver.types == ["message.received"]
    assert (await ann.http.delete(f"/webhooks/{webhook['id']}")).status_code == 204
    assert (await ann.http.get(f"/webhooks/{webhook['id']}")).status_code == 404
    assert await ann.items("/webhooks") == []
    async with receiving() as other:
        await hook(ann, other)
        await hooked.hears(ground.page(ground.message("Dinner")))
        await other.has(1)
    assert len(receiver.told) == 1
    for table in ("webhook_secret", "webhook_lane"):
        ids = {row["webhook_id"] for row in await hooked.rows(table, "1")}
        assert read(Kind.WEBHOOK, webhook["id"]) not in ids


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": "https://e.org/\n#"}, "/url"),
        ({"url": "https://e.org", "types": []}, "/types"),
        ({"url": "https://e.org", "types": ["message.eaten"]}, "/types/0"),
        ({"url": "https://e.org", "account_ids": "x"}, "/account_ids"),
        ({"url": "https://e.org", "description": "x" * 201}, "/description"),
        ({"url": "https://e.org", "secret": "mine"}, "/secret"),
    ],
)
async def test_a_webhook_that_would_not_work_is_not_made(
    api: Api, ada: Person, body: dict[str, Any], pointer: str
) -> None:
    answer = await ada.http.post("/webhooks", json=body)
    assert answer.status_code == 422
    assert [one["pointer"] for one in is_a_problem(answer)["errors"]] == [pointer]
    assert await api.rows("webhook", "1") == []


async def test_a_tenant_has_so_many_webhooks_and_no_more(
    platform: Platform, seal_directory: Path
) -> None:
    async with (
        running_api(platform, seal_directory, webhooks_per_tenant=2) as api,
        api.person() as ada,
    ):
        body = {"url": "https://example.org/"}
        answers = await asyncio.gather(*(ada.http.post("/webhooks", json=body) for _ in range(6)))
        assert sorted(one.status_code for one in answers) == [201, 201, 409, 409, 409, 409]


async def test_the_audit_says_who_did_what_to_a_webhook_and_tells_no_secret_of_its_address(
    api: Api, ada: Person
) -> None:
    made = await ada.http.post("/webhooks", json={"url": "https://example.org/hooks/s3cret"})
    webhook = made.json()
    await ada.http.patch(f"/webhooks/{webhook['id']}", json={"description": "Bell"})
    for verb in ("pause", "resume", "rotate-secret", "skip"):
        await do(ada, webhook, verb)
    newest = (await ada.http.get("/events")).json()["next_cursor"]
    await do(ada, webhook, "replay", after=newest)
    assert (await ada.http.delete(f"/webhooks/{webhook['id']}")).status_code == 204
    rows = [row for row in await api.rows("audit_log", "audit_id") if "webhook" in row["action"]]
    assert [row["action"].removeprefix("webhook.") for row in rows] == [
        *("made", "changed", "paused", "resumed", "secret_rotated", "skipped", "replayed"),
        "removed",
    ]
    assert {row["subject"] for row in rows} == {webhook["id"]}
    assert {str(row["person_id"]) for row in rows} == {
        str(read(Kind.USER, ada.tokens["user"]["id"]))
    }
    assert "s3cret" not in str(rows)
    assert "example.org" in rows[0]["details"]


async def test_another_tenants_webhooks_are_not_there(api: Api, ada: Person) -> None:
    made = (await ada.http.post("/webhooks", json={"url": "https://example.org/"})).json()
    path = f"/webhooks/{made['id']}"
    async with api.person() as eve:
        attacks: list[tuple[str, str, Any]] = [
            ("GET", path, None),
            ("PATCH", path, {"url": "https://evil.example/"}),
            ("DELETE", path, None),
            ("GET", f"{path}/deliveries", None),
            ("POST", f"{path}:test", None),
            ("POST", f"{path}:pause", None),
            ("POST", f"{path}:resume", None),
            ("POST", f"{path}:replay", {"after": "earliest"}),
            ("POST", f"{path}:skip", {}),
            ("POST", f"{path}:skip", {"until": "latest"}),
            ("POST", f"{path}:rotate-secret", {}),
        ]
        for method, asked, body in attacks:
            answer = await eve.http.request(method, asked, json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), asked
        account = (await ada.http.post("/accounts", json={})).status_code
        assert account == 422
        ground = await ada.connects()
        answer = await eve.http.post(
            "/webhooks",
            json={
                "url": "https://example.org",
                "account_ids": [shown(Kind.ACCOUNT, ground.account_id)],
            },
        )
        assert answer.status_code == 404
        assert await eve.items("/webhooks") == []


# --- Days ----------------------------------------------------------------------------------------


async def test_an_endpoint_that_fails_for_days_is_paused_and_told_all_when_it_is_back(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    grounds = [await ann.connects() for _ in range(3)]
    receiver.says(answer("503 Down"))
    webhook = await hook(ann, receiver, types=["message.received", "webhook.paused"])
    for n in range(4):
        await hooked.hears(*(ground.page(ground.message(str(n))) for ground in grounds))
    await receiver.until(lambda self: len(self.told) >= 3)
    async with asyncio.timeout(30):
        while (state := await look(ann, webhook))["state"] != "paused":
            moves(hooked, hours=3)
            # It is paused a moment after its last try, of which no other one tells.
            await asyncio.sleep(0.05)
    assert len(receiver.told) > 3
    assert state["paused_because"] == "failing"
    assert state["backlog"]["events"] >= 12
    told = [one for one in await ann.events() if one["type"] == "webhook.paused"]
    assert [one["data"] for one in told] == [
        {"id": webhook["id"], "reason": "failing", "account_ids": None}
    ]
    receiver.says(OK)
    await do(ann, webhook, "resume")
    await receiver.has(13)
    for ground in grounds:
        account = shown(Kind.ACCOUNT, ground.account_id)
        mine = [event for event in receiver.taken if event["accountid"] == account]
        assert subjects(mine) == ["0", "1", "2", "3"]


async def test_one_account_that_is_stuck_for_days_does_not_pause_the_others(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    stuck, well = await ann.connects(), await ann.connects()
    account = shown(Kind.ACCOUNT, stuck.account_id)
    receiver.reply = lambda event: answer("500 Choked") if event["accountid"] == account else OK
    webhook = await hook(ann, receiver, types=["message.received"])
    await hooked.hears(stuck.page(stuck.message("poison")))
    await receiver.until(lambda self: len(self.told) >= 1)
    paused: list[Any] = []
    async with asyncio.timeout(20):
        while not paused:
            moves(hooked, hours=12)
            await hooked.hears(well.page(well.message("fine")))
            count = len(receiver.taken)
            await receiver.has(count + 1 if not receiver.taken else count)
            paused = [one for one in await ann.events() if one["type"] == "webhook.paused"]
            await asyncio.sleep(0.02)
    assert paused[0]["data"]["account_ids"] == [account]
    assert (await look(ann, webhook))["state"] != "paused"
    receiver.says(OK)
    await do(ann, webhook, "resume")
    await receiver.until(lambda self: "poison" in subjects(self.taken))


async def test_an_endpoint_that_says_it_is_gone_is_told_no_more(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    ground = await ann.connects()
    receiver.says(answer("410 Gone"))
    webhook = await hook(ann, receiver, types=["message.received"])
    await hooked.hears(ground.page(ground.message()))
    async with asyncio.timeout(10):
        while (state := await look(ann, webhook))["state"] != "paused":
            await asyncio.sleep(0.02)
    assert state["paused_because"] == "gone"
    assert len(receiver.told) == 1


async def test_an_endpoint_that_asks_for_a_pause_gets_it(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    ground = await ann.connects()
    receiver.says(answer("429 Slow Down", "Retry-After: 3600"))
    webhook = await hook(ann, receiver, types=["message.received"])
    await hooked.hears(ground.page(ground.message()))
    async with asyncio.timeout(10):
        while not (state := await look(ann, webhook))["last_failure_at"]:
            await asyncio.sleep(0.02)
    until = datetime.fromisoformat(state["backlog"]["next_attempt_at"])
    assert until - datetime.fromisoformat(state["last_failure_at"]) >= timedelta(hours=1)
    receiver.says(OK)
    moves(hooked, minutes=61)
    await receiver.has(1)


async def test_what_left_the_log_before_it_was_told_is_said_to_be_lost(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver, types=["message.received", "webhook.lost"])
    ground, other = await ann.connects(), await ann.connects()
    await do(ann, webhook, "pause")
    for n in range(3):
        await hooked.hears(ground.page(ground.message(str(n))))
    await hooked.hears(other.mailboxes())
    async with asyncio.timeout(10):
        while (await look(ann, webhook))["backlog"]["events"] < 3:
            await asyncio.sleep(0.02)
    keep, now = timedelta(), datetime.now(UTC)  # so that all of it is old
    before = {event["data"].get("subject"): event["cursor"] for event in await ann.events()}
    await hooked.world.committed(await lose_untold(hooked.world.pool, keep, now))
    await trim_log(hooked.world.pool, keep, now)
    await hooked.hears(ground.page(ground.message("new")))
    await do(ann, webhook, "resume")
    taken = await receiver.has(2)
    lost = next(one for one in taken if one["type"] == "webhook.lost")
    assert lost["data"] == {
        "id": webhook["id"],
        "count": 3,
        "first": before["0"],
        "last": before["2"],
        "account_ids": [shown(Kind.ACCOUNT, ground.account_id)],
    }
    assert subjects([one for one in taken if one["type"] == "message.received"]) == ["new"]
    assert await lose_untold(hooked.world.pool, keep, now) == {}


async def test_a_webhook_whose_person_has_left_waits_for_somebody_else(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver, types=["message.received"])
    ground = await ann.connects()
    await hooked.admin.execute(
        "UPDATE api.webhook SET acts_for = $1 WHERE webhook_id = $2",
        uuid4(),
        read(Kind.WEBHOOK, webhook["id"]),
    )
    await hooked.hears(ground.page(ground.message("Private")))
    async with asyncio.timeout(10):
        while (state := await look(ann, webhook))["state"] != "paused":
            await asyncio.sleep(0.02)
    assert state["paused_because"] == "nobody"
    assert receiver.told == []
    resumed = await do(ann, webhook, "resume")
    assert resumed["acts_for"] == ann.tokens["user"]["id"]
    assert subjects(await receiver.has(1)) == ["Private"]


async def test_nobody_is_told_of_another_tenant(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    async with hooked.person() as eve, receiving() as hers:
        await hook(eve, hers)
        await hook(ann, receiver)
        ground, other = await ann.connects(), await eve.connects()
        await hooked.hears(ground.page(ground.message("ann")), other.page(other.message("eve")))
        await receiver.has(2)
        await hers.has(2)
        assert {one["tenantid"] for one in hers.taken} == {shown(Kind.TENANT, eve.tenant_id)}
        assert {one["tenantid"] for one in receiver.taken} == {shown(Kind.TENANT, ann.tenant_id)}


async def test_two_gateways_share_the_work_and_tell_each_event_in_order(
    platform: Platform, seal_directory: Path, hooked: Api, ann: Person, receiver: Receiver
) -> None:
    await hook(ann, receiver, types=["message.received"])
    grounds = [await ann.connects() for _ in range(6)]
    async with hooked_api(platform, seal_directory):
        for n in range(10):
            await hooked.hears(*(ground.page(ground.message(str(n))) for ground in grounds))
        await receiver.has(60)
    told = [one.headers["webhook-id"] for one in receiver.told]
    assert len(told) == len(set(told)), "nobody tells what another one is telling"
    for ground in grounds:
        account = shown(Kind.ACCOUNT, ground.account_id)
        mine = [event for event in receiver.taken if event["accountid"] == account]
        assert subjects(mine) == [str(n) for n in range(10)]


async def test_a_suspended_tenant_is_told_when_it_goes_on(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver, types=["message.received"])
    ground = await ann.connects()
    await hooked.admin.execute("UPDATE api.tenant SET suspended_at = now()")
    await hooked.hears(ground.page(ground.message("Later")))
    async with asyncio.timeout(10):
        while not await hooked.rows("webhook_lane", "1"):
            await asyncio.sleep(0.02)
    assert (
        await claim_lanes(
            hooked.world.pool,
            now=hooked.world.clock() + timedelta(days=1),
            lease=timedelta(),
            at_once=9,
            failing=9,
            of_each=9,
        )
        == []
    )
    await hooked.admin.execute("UPDATE api.tenant SET suspended_at = NULL")
    hooked.world.to_deliver.set()
    assert subjects(await receiver.has(1)) == ["Later"]
    assert (await look(ann, webhook))["state"] == "active"


async def test_what_was_answered_of_an_account_goes_with_it(
    hooked: Api, ann: Person, receiver: Receiver
) -> None:
    webhook = await hook(ann, receiver, types=["message.received"])
    ground, other = await ann.connects(), await ann.connects()
    await hooked.hears(ground.page(ground.message()), other.page(other.message()))
    await receiver.has(2)
    async with asyncio.timeout(10):
        while len(await deliveries(ann, webhook)) < 2:
            await asyncio.sleep(0.02)
    gone = shown(Kind.ACCOUNT, ground.account_id)
    assert (await ann.http.delete(f"/accounts/{gone}")).status_code == 204
    while await forget_account(hooked.world.pool):
        pass
    left = [one["account_id"] for one in await deliveries(ann, webhook)]
    assert left == [shown(Kind.ACCOUNT, other.account_id)]


# --- What is said of it ---------------------------------------------------------------------------


async def test_the_document_shows_every_type_of_event_with_its_form(api: Api) -> None:
    async with api.client() as client:
        document = (await client.get("/openapi.json")).json()
    assert set(document["webhooks"]) == {kind.value for kind in EventType}
    for kind, item in document["webhooks"].items():
        (content,) = item["post"]["requestBody"]["content"].values()
        example = msgspec.json.decode(msgspec.json.encode(content["example"]), type=CloudEvent)
        assert example.type == kind
        _, own = content["schema"]["allOf"]
        assert own["properties"]["type"] == {"const": kind}
        name = own["properties"]["data"]["$ref"].rpartition("/")[2]
        form = document["components"]["schemas"][name]
        data = content["example"]["data"]
        assert set(data) == set(form["properties"]), kind
        assert set(form["required"]) <= {"id", "account_id", "count"}, kind


def test_the_forms_of_events_are_those_that_the_event_document_shows() -> None:
    text = (Path(__file__).parents[2] / "docs" / "api-events.md").read_text("utf-8")
    found = re.findall(r"^### `([a-z_.]+)`$((?:(?!^#).*\n)*)", text, re.MULTILINE)
    shown_there = {
        kind: msgspec.json.decode(section.partition("```json\n")[2].partition("```")[0])
        for kind, section in found
        if "```json" in section
    }
    assert len(shown_there) >= 20
    for kind, example in shown_there.items():
        data = example_of(EventType(kind))
        assert set(msgspec.to_builtins(data)) == set(example), kind
        msgspec.convert(example, type(data), strict=True)


# --- What a query asks for ------------------------------------------------------------------------


async def test_a_webhook_is_told_only_what_matches(
    hooked: Api,
    ann: Person,
    receiver: Receiver,
) -> None:
    ground = await ann.connects()
    await hooked.hears(ground.mailboxes())
    async with reading_queries(hooked):
        refused = await ann.http.post("/webhooks", json={"url": receiver.url, "query": "invoice"})
        assert (refused.status_code, refused.json()["position"]) == (400, 0)
        webhook = await hook(ann, receiver, query="in:inbox subject:invoice")
        assert webhook["query"] == "in:inbox subject:invoice"
        await hooked.hears(
            ground.page(
                *(ground.message("Noise", minutes=n) for n in range(250)),
            ),
            ground.page(
                ground.message("Invoice 1", minutes=300),
                ground.message(
                    "Invoice elsewhere", minutes=301, state=ground.state(ground.archive)
                ),
                ground.message("Invoice 2", minutes=302),
            ),
        )
        assert sorted(subjects(await receiver.has(2))) == ["Invoice 1", "Invoice 2"]
        # Without the query all is told from there on; with another, what that one wants.
        changed = await ann.http.patch(f"/webhooks/{webhook['id']}", json={"query": None})
        assert changed.json()["query"] is None
        await hooked.hears(ground.page(ground.message("Anything", minutes=400)))
        assert subjects(await receiver.has(3))[2:] == ["Anything"]


async def test_an_event_that_a_query_wants_and_nobody_takes_can_be_given_up(
    hooked: Api,
    ann: Person,
    receiver: Receiver,
) -> None:
    ground = await ann.connects()
    async with reading_queries(hooked):
        webhook = await hook(ann, receiver, query="subject:invoice")
    receiver.reply = lambda event: (
        answer("500 Choked") if event["data"]["subject"] == "Invoice 1" else OK
    )
    await hooked.hears(
        ground.page(
            ground.message("Noise"),
            ground.message("Invoice 1", minutes=1),
            ground.message("Invoice 2", minutes=2),
        )
    )
    await receiver.until(lambda self: self.told)
    await do(ann, webhook, "skip")
    assert subjects(await receiver.has(1)) == ["Invoice 2"]
    assert {one.event["data"]["subject"] for one in receiver.told} == {"Invoice 1", "Invoice 2"}
