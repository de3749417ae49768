import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from shared.contracts.ids import Kind, read, shown
from tests.api.conftest import Api, Person, an_account, running_api
from tests.api.mail import Ground
from tests.platform import Platform

BODIES = [
    ("POST", "/auth/register"),
    ("POST", "/auth/login"),
    ("POST", "/auth/refresh"),
    ("POST", "/accounts"),
    ("POST", "/submissions"),
]
NONSENSE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"\xff\xfe",
    b'{"a": 1e999}',
    b'{"a": "\\ud800"}',
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    *(b'{"a":' * depth + b"1" + b"}" * depth for depth in range(100, 1_000, 50)),
    *(b'{"to":' + b"[" * depth + b"]" * depth + b"}" for depth in range(100, 1_000, 50)),
    b'{"email": 1, "password": [], "imap": null, "smtp": "x", "to": {}, "refresh_token": true}',
    b'{"email": "a@b\\u0000", "password": "\\u0000", "nul\\u0000": 1}',
]


def is_a_problem(answer: Any) -> dict[str, Any]:
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["code"]
    assert problem["title"]
    assert problem["type"].startswith("urn:postbus:problem:")
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


@pytest.mark.parametrize(("method", "path"), BODIES)
async def test_a_body_that_is_nonsense_is_a_problem(
    api: Api, ada: Person, method: str, path: str
) -> None:
    for body in NONSENSE:
        answer = await ada.http.request(method, path, content=body)
        known = {"malformed_json", "validation_failed"}
        if path.startswith("/auth/") and len(body) > 16_384:
            known = {"body_too_large"}  # anybody may send one
        assert is_a_problem(answer)["code"] in known, body[:40]


async def test_every_wrong_field_is_named_at_once(api: Api, ada: Person) -> None:
    answer = await ada.http.post(
        "/accounts",
        json={
            "name": "Line\nbreak",
            "email": "nobody",
            "imap": {"host": "not a host", "port": 70000, "security": "ssl", "colour": "red"},
            "smtp": {"host": "smtp.example.org", "username": "ada\u0000"},
        },
    )
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in is_a_problem(answer)["errors"]}
    assert pointers == {
        "/name",
        "/email",
        "/imap/host",
        "/imap/port",
        "/imap/security",
        "/imap/colour",
        "/imap/username",
        "/imap/password",
        "/smtp/username",
        "/smtp",
    }


async def test_what_was_wrong_is_not_said_back(api: Api, ada: Person) -> None:
    body = an_account()
    body["imap"] = body["imap"] | {"password": ["hush-hush"], "port": "hush-hush"}
    answer = await ada.http.post("/accounts", json=body)
    assert answer.status_code == 422
    assert "hush-hush" not in answer.text


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("/messages", {}, 422, "validation_failed"),
        ("/messages", {"mailbox_id": "x", "account_id": "y"}, 422, "validation_failed"),
        ("/messages", {"mailbox_id": "mbx_x"}, 404, "not_found"),
        ("/messages", {"mailbox_id": "MAILBOX", "limit": "0"}, 422, "validation_failed"),
        ("/messages", {"mailbox_id": "MAILBOX", "limit": "201"}, 422, "validation_failed"),
        ("/messages", {"mailbox_id": "MAILBOX", "limit": "many"}, 422, "validation_failed"),
        ("/messages", {"mailbox_id": "MAILBOX", "limit": "9" * 40}, 422, "validation_failed"),
        ("/messages", {"mailbox_id": "MAILBOX", "label": ""}, 422, "validation_failed"),
        ("/messages", {"mailbox_id": "MAILBOX", "label": "x" * 256}, 422, "validation_failed"),
        ("/messages", {"label": "Work"}, 422, "validation_failed"),
        ("/messages", {"role": "inbox", "label": "Work"}, 422, "validation_failed"),
        ("/messages", {"role": "inbox", "mailbox_id": "MAILBOX"}, 422, "validation_failed"),
        ("/messages", {"role": "attic"}, 422, "validation_failed"),
        ("/threads/thr_00000000000000000000000000", {}, 404, "not_found"),
        ("/messages", {"mailbox_id": "MAILBOX", "cursor": "x"}, 400, "cursor_invalid"),
        ("/messages", {"mailbox_id": "MAILBOX", "cursor": "\0"}, 400, "cursor_invalid"),
        ("/messages", {"mailbox_id": "MAILBOX", "cursor": "ks_wAA"}, 400, "cursor_invalid"),
        ("/messages", {"mailbox_id": "MAILBOX", "cursor": "x" * 5000}, 400, "cursor_invalid"),
        ("/messages/msg_00000000000000000000000000", {}, 404, "not_found"),
        ("/messages/msg_zzzzzzzzzzzzzzzzzzzzzzzzzz", {}, 404, "not_found"),
        ("/messages/%00", {}, 404, "not_found"),
        ("/messages/" + "x" * 3000, {}, 404, "not_found"),
        ("/accounts/%C3%28", {}, 404, "not_found"),
        ("/submissions/sub_1", {}, 404, "not_found"),
        ("/submissions", {"account_id": "acc_1"}, 404, "not_found"),
        ("/mailboxes", {"account_id": ""}, 404, "not_found"),
        ("/search", {}, 422, "validation_failed"),
        ("/search", {"q": ""}, 422, "validation_failed"),
        ("/search", {"q": "a\0"}, 422, "validation_failed"),
        ("/search", {"q": "x" * 2001}, 422, "validation_failed"),
        ("/events", {"after": "x"}, 400, "cursor_invalid"),
        ("/events", {"after": "1-999"}, 400, "cursor_invalid"),
        ("/events", {"after": "9-0"}, 400, "cursor_invalid"),
        ("/events", {"after": "0-0"}, 410, "log_restarted"),
        ("/events", {"after": "1-" + "9" * 30}, 400, "cursor_invalid"),
        ("/events", {"wait": "61"}, 422, "validation_failed"),
        ("/events", {"wait": "nan"}, 422, "validation_failed"),
        ("/events", {"types": "\0"}, 422, "validation_failed"),
        ("/nothing", {}, 404, "not_found"),
        ("/../../etc/passwd", {}, 404, "not_found"),
    ],
)
async def test_a_wrong_question_is_a_problem(
    api: Api,
    ada: Person,
    ground: Ground,
    path: str,
    params: dict[str, str],
    status: int,
    code: str,
) -> None:
    await api.hears(ground.mailboxes())
    mailbox = shown(Kind.MAILBOX, ground.inbox)
    asked = {key: mailbox if value == "MAILBOX" else value for key, value in params.items()}
    answer = await ada.http.get(path, params=asked)
    assert (is_a_problem(answer)["code"], answer.status_code) == (code, status)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"to": []}, ""),
        ({"to": "g@example.org"}, "/to"),
        ({"to": ["nobody"]}, "/to/0"),
        ({"to": ["a@example.org, b@example.org"]}, "/to/0"),
        ({"to": ["Eve\r\nBcc: <e@example.org>"]}, "/to/0"),
        ({"to": [{"name": "Eve\nBcc: x", "email": "e@example.org"}]}, "/to/0"),
        ({"to": [{"email": "e@example.org", "more": 1}]}, "/to/0"),
        ({"to": [7]}, "/to/0"),
        ({"subject": "Hello\r\nBcc: e@example.org"}, "/subject"),
        ({"subject": "x" * 999}, "/subject"),
        ({"text": "a\u0000b"}, "/text"),
        ({"html": 1}, "/html"),
        ({"account_id": "nobody"}, "/account_id"),
        ({"cc": ["g@example.org"] * 501}, "/cc"),
    ],
)
async def test_a_message_that_cannot_be_sent_is_refused_before_it_is_queued(
    api: Api, ada: Person, ground: Ground, wrong: dict[str, Any], pointer: str
) -> None:
    account = shown(Kind.ACCOUNT, ground.account_id)
    body = {"account_id": account, "to": ["g@example.org"], "text": "Hi", **wrong}
    answer = await ada.http.post("/submissions", json=body)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in is_a_problem(answer)["errors"]] == [pointer]
    assert await api.rows("submission", "1") == []


@pytest.mark.parametrize(
    "body",
    [
        {"to": [1] * 400_000},
        {"to": [{}] * 300_000},
        {"x": [[]] * 300_000},
        {str(n): 1 for n in range(80_000)},
        {"to": [" " * 990 + "x"] * 500},
        {"to": ["<" * 990] * 500},
        {"to": ['"' + "\\" * 980 + '" <x>'] * 500},
        {"to": ["a" * 60 + "@" + "x." * 400 + "org"] * 500},
    ],
)
async def test_a_body_made_to_take_long_takes_nobodys_time(
    api: Api, ada: Person, ground: Ground, body: dict[str, Any]
) -> None:
    account = shown(Kind.ACCOUNT, ground.account_id)
    sent = json.dumps({"account_id": account, **body}, separators=(",", ":"))
    async with asyncio.timeout(60):  # what grows with the square of this takes hours
        answer = await ada.http.post("/submissions", content=sent)
    is_a_problem(answer)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/docs/nothing", "not_found"),
        ("GET", "/docs/nothing.json", "not_found"),
        ("GET", "/docs/more/nothing", "not_found"),
        ("POST", "/docs", "method_not_allowed"),
        ("DELETE", "/docs/nothing", "method_not_allowed"),
        ("GET", "/schema", "not_found"),
        ("GET", "/nothing", "not_found"),
        ("GET", "/api", "not_found"),
        ("GET", "/api/v1", "not_found"),
        ("GET", "/api/v2/accounts", "not_found"),
        ("GET", "/api/v1/%2e%2e/docs", "not_found"),
        ("GET", "/%ff%fe", "not_found"),
        ("PUT", "/api/v1/accounts", "method_not_allowed"),
        ("TRACE", "/api/v1/accounts", "method_not_allowed"),
        ("BREW", "/api/v1/accounts", "malformed_request"),
        ("GET", "/api/v1/auth/login", "method_not_allowed"),
        ("GET", "/api/v1/events?limit=1&limit=x", "validation_failed"),
        ("GET", "/api/v1/events?wait=%ff", "validation_failed"),
    ],
)
async def test_what_the_framework_refuses_is_a_problem_too(
    api: Api, ada: Person, method: str, path: str, code: str
) -> None:
    answer = await ada.http.request(method, f"http://127.0.0.1:{api.port}{path}")
    assert is_a_problem(answer)["code"] == code


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary=x", "text/xml", "application/msgpack", "\xe9"]
)
async def test_a_body_is_json_however_it_is_labelled(
    api: Api, ada: Person, content_type: str
) -> None:
    answer = await ada.http.post(
        "/accounts", content=b"--x", headers={b"Content-Type": content_type.encode("latin-1")}
    )
    assert is_a_problem(answer)["code"] == "malformed_json"


async def test_a_method_that_is_not_there_says_which_are(api: Api, ada: Person) -> None:
    answer = await ada.http.put("/accounts", json={})
    assert is_a_problem(answer)["code"] == "method_not_allowed"
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_hundred_megabytes_are_refused_without_being_read(
    api: Api, ada: Person, chunked: bool
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 104857600"
    token = ada.tokens["access_token"].encode()
    writer.write(
        b"POST /api/v1/accounts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + token + b"\r\n" + length + b"\r\n\r\n"
    )
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536
    sent = 0
    answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    while not answer.done() and sent < 104857600:
        writer.write(chunk)
        await writer.drain()
        sent += 65536
        await asyncio.sleep(0)
    head = await answer
    writer.close()
    assert head.startswith(b"HTTP/1.1 413"), head
    assert sent < 30_000_000


async def test_who_sends_a_hundred_megabytes_to_the_end_still_hears_why_not(
    api: Api, ada: Person
) -> None:
    answer = await ada.http.post("/submissions", content=b"x" * 104857600)
    assert is_a_problem(answer)["code"] == "body_too_large"
    assert (await ada.http.get("/accounts")).status_code == 200


async def test_who_asks_before_sending_too_much_is_told_at_once(api: Api, ada: Person) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    token = ada.tokens["access_token"].encode()
    writer.write(
        b"POST /api/v1/submissions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        + token
        + b"\r\nContent-Length: 104857600\r\nExpect: 100-continue\r\n\r\n"
    )
    async with asyncio.timeout(3):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413"), answer
    assert b"body_too_large" in answer


async def test_a_message_larger_than_the_bus_carries_is_refused_at_once(
    platform: Platform, seal_directory: Path
) -> None:
    async with (
        running_api(platform, seal_directory, request_body_max_bytes=32 * 1024 * 1024) as api,
        api.person() as ada,
    ):
        ground = await ada.connects()
        letter = {
            "account_id": shown(Kind.ACCOUNT, ground.account_id),
            "to": ["g@example.org"],
            "text": "😀" * 1_900_000,
        }
        async with asyncio.timeout(60):
            answer = await ada.http.post("/submissions", json=letter)
        assert is_a_problem(answer)["code"] == "message_too_large"
        assert await api.rows("submission", "1") == []


async def test_answers_carry_the_request_id_and_protect_themselves(api: Api, ada: Person) -> None:
    answer = await ada.http.get("/accounts", headers={"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"
    forged = await ada.http.get("/accounts", headers={"X-Request-ID": "a b\t<script>"})
    assert forged.headers["x-request-id"] != "a b\t<script>"


async def test_health_and_documents_answer_and_probes_are_elsewhere(api: Api) -> None:
    async with api.client() as client:
        root = str(client.base_url).removesuffix("/api/v1/")
        for path, status in (
            ("/health", 200),
            ("/", 200),
            ("/docs", 200),
            ("/metrics", 404),
            ("/ready", 404),
        ):
            answer = await client.get(root + path)
            assert answer.status_code == status, path
            assert "cdn" not in answer.text
        health = (await client.get(root + "/health")).json()
        assert health.keys() == {"status", "service", "version", "timestamp"}
        assert (health["status"], health["service"]) == ("ok", "api")
        metrics = generate_latest().decode()
        assert 'postbus_api_request_duration_seconds_count{method="GET",route="/"' in metrics
        document = (await client.get("/openapi.json")).json()
        assert document["openapi"].startswith("3.1")
        for path in ("/accounts", "/messages/{message_id}", "/search", "/events", "/submissions"):
            assert f"/api/v1{path}" in document["paths"]
        page = (await client.get(root + "/docs")).text
        assert "data: {&quot;id&quot;:&quot;evt_" in page
        assert (await client.get(root + "/nowhere")).json()["code"] == "not_found"


async def test_the_document_describes_problems_and_both_forms_of_the_log(
    api: Api, ada: Person, ground: Ground
) -> None:
    document = (await ada.http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            problems = [
                form
                for status, answer in operation["responses"].items()
                if not status.startswith("2")
                for form in answer["content"].items()
            ]
            assert problems, path
            for media_type, problem in problems:
                assert media_type == "application/problem+json", path
                assert problem["schema"]["$ref"].endswith("/Problem"), path
    assert document["paths"]["/api/v1/auth/login"]["post"]["security"] == []

    forms = document["paths"]["/api/v1/events"]["get"]["responses"]["200"]["content"]
    assert set(forms) == {"application/json", "text/event-stream"}
    page = forms["application/json"]
    assert page["schema"]["$ref"] == "#/components/schemas/Events"
    told = (await ada.http.get("/events")).json()
    (event, example) = (told["items"][0], page["example"]["items"][0])
    assert set(schemas["Events"]["properties"]) == set(told) == set(page["example"])
    assert set(schemas["Event"]["properties"]) == set(event) == set(example)
    assert schemas["Event"]["properties"]["data"]["type"] == "object"
    read(Kind.EVENT, example["id"])
    read(Kind.MESSAGE, example["data"]["id"])

    stream = forms["text/event-stream"]
    assert stream["schema"]["type"] == "string"
    (line,) = (line for line in stream["example"].split("\n") if line.startswith("data: "))
    assert json.loads(line.removeprefix("data: ")) == example
    assert f"id: {example['cursor']}\nevent: {example['type']}\n" in stream["example"]


async def test_what_is_no_http_request_is_a_problem_too(api: Api) -> None:
    for said in (b"GARBAGE / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX: a\x01b\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(said)
        answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400")
        assert b"application/problem+json" in head
        assert json.loads(body)["code"] == "malformed_request"
