"""Whatever is sent to the gateway, the answer is a problem with a code, and never our fault.

What is tried follows from the gateway's own OpenAPI document, so that a new route is tried too.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import msgspec
import psutil
import pytest
import pytest_asyncio

from services.api.domain.tokens import Claims, TokenKeys, access_token, claims_of
from shared.contracts.ids import Kind, read, shown
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import Stack, until
from tests.stories.walk import connect, connection, pages, until_mailbox, until_state

pytestmark = pytest.mark.story

BASE = "/api/v1"
METHODS = ("get", "head", "post", "put", "patch", "delete", "trace", "propfind")
HUNDRED_MEGABYTES = 100 * 1024 * 1024
LETTER = b"From: ada@postbus.test\r\nSubject: Mine alone\r\n\r\nNobody else's business.\r\n"
NONSENSE = {
    "empty": b"",
    "cut off": b'{"email": "ada@exam',
    "not UTF-8": b'{"email": "\xff\xfe"}',
    "half a character": b'{"email": "\\ud800"}',
    "a list": b"[]",
    "a number": b"1e999",
    "deep": b"[" * 10_000,
    "deep and whole": b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    "not a number": b'{"a": NaN}',
    "gzip": b"\x1f\x8b\x08\x00\x00",
    "a form": b"email=ada%40example.org&password=correct+horse",
    "fields of the wrong kind": json.dumps(
        {
            **dict.fromkeys(("email", "password", "refresh_token", "account_id"), 10**40),
            **{name: ["x"] for name in ("imap", "smtp", "name", "to", "subject", "text")},
        }
    ).encode(),
    "NUL": json.dumps(
        {
            "email": "a\0@example.org",
            "password": "correct\0horse",
            "refresh_token": "\0",
            "account_id": "acc_\0",
            "name": "\0",
            "to": ["\0@example.org"],
            "text": "\0",
            "nul\0": "\0",
        }
    ).encode(),
}


@dataclass(frozen=True)
class Route:
    """One operation of the gateway."""

    method: str
    template: str  # below /api/v1
    parameters: dict[str, str]  # by name, where it stands: path, query, header
    has_body: bool
    is_open: bool  # to whoever asks

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.template}"

    def path(self, ids: dict[str, str]) -> str:
        return self.template.format_map(ids)

    def body(self) -> dict[str, Any]:
        """What it takes, where it takes something: a change that would show."""
        if not self.has_body:
            return {}
        if self.template == "/members/{user_id}":
            return {"json": {"role": "read_only"}}
        if self.template.endswith("/identities"):
            return {"json": {"email": "stolen@example.org"}}
        if self.template.endswith("/sharing"):
            return {"json": {"everyone": True}}
        if self.template.startswith(("/messages/{", "/threads/{")):
            return {"json": {"delete": True}}
        if self.template.startswith("/webhooks/{"):
            replay = self.template.endswith(":replay")
            description = {"description": "Stolen"} if self.method == "patch" else {}
            return {"json": {"after": "earliest"} if replay else description}
        if self.template.startswith("/drafts/{"):
            return {"json": {} if self.template.endswith("/send") else {"text": "Stolen"}}
        if self.template.endswith("/profile"):
            return {"json": {"connections": 1}}
        if self.template.startswith("/submissions/{"):
            is_put_off = self.method == "patch"
            return {"json": {"send_at": "2126-01-01T00:00:00Z"} if is_put_off else {}}
        return {"json": {"path" if self.template.startswith("/mailboxes/{") else "name": "Stolen"}}

    def needed(self) -> dict[str, str]:
        """What has to be asked for besides, where something has."""
        if "signature" in self.parameters:
            return {"expires": "4102444800", "key": "k1", "signature": "of our own", "url": "x"}
        return {"q": "business"} if "q" in self.parameters else {}

    def finds_nothing(self, answer: httpx.Response) -> bool:
        """Of whom the audit log tells may be gone: an empty list is an answer there."""
        return (
            self.template == "/audit" and answer.status_code == 200 and answer.json()["items"] == []
        )

    def named(self, *places: str) -> list[str]:
        """The parameters that stand there."""
        return [name for name, place in self.parameters.items() if place in places]


@dataclass(frozen=True)
class Ground:
    """A person who has everything that has an id, and somebody else who has nothing."""

    owner: httpx.AsyncClient
    stranger: httpx.AsyncClient
    ids: dict[str, str]
    routes: tuple[Route, ...]

    def with_a_body(self) -> Iterator[Route]:
        return (route for route in self.routes if route.has_body)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(stack: Stack, dovecot: Dovecot, postfix: Postfix) -> AsyncIterator[Ground]:
    async with stack.person() as owner, stack.person() as stranger:
        user = dovecot.new_user()
        dovecot.append(user, "INBOX", [LETTER])
        account = await connect(owner, user, dovecot, postfix)
        await until_state(owner, account, "live")
        inbox = (await until_mailbox(owner, account))["id"]
        (message,) = await until(
            "the message is listed", lambda: pages(owner, "/messages", mailbox_id=inbox)
        )
        answer = await owner.post(
            "/submissions",
            json={"account_id": account, "to": [dovecot.new_user()], "subject": "x", "text": "x"},
        )
        assert answer.status_code == 202, answer.text
        upload = await owner.post("/uploads", files={"file": ("a.txt", b"Mine alone")})
        assert upload.status_code == 201, upload.text
        saved = await owner.post("/saved-searches", json={"name": "x", "q": "x"})
        assert saved.status_code == 201, saved.text
        change = await owner.patch(
            f"/messages/{message['id']}", json={"keywords": {"custom": {"Mine": True}}}
        )
        assert change.status_code in (200, 202), change.text
        trusted = await owner.post("/image-senders", json={"sender": "example.org"})
        assert trusted.status_code == 200, trusted.text
        token = await owner.post("/tokens", json={"name": "x", "scopes": ["mail:read"]})
        asked = await owner.post("/invitations", json={"email": "x@example.org"})
        (session,) = (await owner.get("/me/sessions")).json()["items"]
        export = await owner.post("/exports", json={})
        assert export.status_code == 201, export.text
        webhook = await owner.post("/webhooks", json={"url": "https://example.org/"})
        assert webhook.status_code == 201, webhook.text
        draft = await owner.post("/drafts", json={"account_id": account, "text": "Mine alone"})
        assert draft.status_code == 201, draft.text
        identity = await owner.post(
            f"/accounts/{account}/identities", json={"email": "also-me@example.org"}
        )
        assert identity.status_code == 201, identity.text
        link = await owner.post("/connect-links", json={"email": "x@example.org"})
        assert link.status_code == 201, link.text
        yield Ground(
            owner=owner,
            stranger=stranger,
            ids={
                "account_id": account,
                "mailbox_id": inbox,
                "message_id": message["id"],
                "submission_id": answer.json()["id"],
                "draft_id": draft.json()["id"],
                "identity_id": identity.json()["id"],
                "upload_id": upload.json()["id"],
                "saved_search_id": saved.json()["id"],
                "image_sender_id": trusted.json()["id"],
                "thread_id": message["thread_id"],
                "job_id": change.json()["id"],
                "token_id": token.json()["token"]["id"],
                "invitation_id": asked.json()["invitation"]["id"],
                "session_id": session["id"],
                "user_id": (await owner.get("/me")).json()["id"],
                "webhook_id": webhook.json()["id"],
                "export_id": export.json()["id"],
                "link_id": link.json()["id"],
                "name": "example",  # of an OAuth2 provider
                "deletion_id": shown(Kind.DELETION, uuid4()),
                "number": "1",
            },
            routes=tuple(routes((await owner.get("/openapi.json")).json())),
        )


def routes(document: dict[str, Any]) -> Iterator[Route]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield Route(
                method=method,
                template=path.removeprefix(BASE),
                parameters={each["name"]: each["in"] for each in operation.get("parameters", [])},
                has_body="requestBody" in operation,
                is_open=operation["security"] == [],
            )


def problem(answer: httpx.Response, about: object) -> dict[str, Any]:
    """The problem that this answer is (RFC 9457), and never one of ours."""
    assert 400 <= answer.status_code < 500, (about, answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json", (about, answer.text[:200])
    said = answer.json()
    assert said["status"] == answer.status_code, about
    assert said["type"] == f"urn:postbus:problem:{said['code']}", about
    assert said["title"], about
    assert said["detail"], about
    assert said["request_id"] == answer.headers["x-request-id"], about
    return said


def refusal(answer: httpx.Response, about: object) -> tuple[int, str]:
    return answer.status_code, problem(answer, about)["code"]


async def test_a_body_that_is_nonsense_is_refused_by_every_route_that_takes_one(
    ground: Ground,
) -> None:
    for route in ground.with_a_body():
        for about, body in NONSENSE.items():
            answer = await ground.owner.request(route.method, route.path(ground.ids), content=body)
            code = problem(answer, (route, about))["code"]
            assert code in {"malformed_json", "validation_failed"}, (route, about, answer.text)


async def test_however_a_body_is_labelled_it_is_read_as_json_or_refused(ground: Ground) -> None:
    for route in ground.with_a_body():
        for label in (
            "text/plain",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "application/x-www-form-urlencoded",
            "application/msgpack",
            "application/json; charset=utf-7",
            "/;=",
            "\xff",
        ):
            answer = await ground.owner.request(
                route.method,
                route.path(ground.ids),
                content=b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n",
                headers={"Content-Type": label.encode("latin-1")},
            )
            problem(answer, (route, label))


async def test_what_is_missing_is_named_all_at_once(ground: Ground) -> None:
    missing = {
        "/auth/register": {"/email", "/password"},
        "/auth/login": {"/email", "/password"},
        "/auth/refresh": {"/refresh_token"},
        "/accounts": {"/email", "/imap", "/smtp"},
        "/submissions": {"/account_id"},
    }
    for path, pointers in missing.items():
        answer = await ground.owner.post(path, json={})
        assert refusal(answer, path) == (422, "validation_failed")
        assert {error["pointer"] for error in answer.json()["errors"]} == pointers
    answer = await ground.owner.post("/accounts", json={"imap": {}, "smtp": {}, "surplus": 1})
    assert {error["pointer"] for error in problem(answer, "nested")["errors"]} == {
        "/email",
        "/imap/host",
        "/imap/username",
        "/imap/password",
        "/smtp/host",
        "/surplus",
    }


async def test_another_tenants_ids_are_not_there_on_any_route(ground: Ground) -> None:
    tried = 0
    for route in ground.routes:
        for name in (name for name in route.parameters if name.endswith("_id")):
            query = {} if route.parameters[name] == "path" else {name: ground.ids[name]}
            answer = await ground.stranger.request(
                route.method,
                route.path(ground.ids),
                params={**route.needed(), **query},
                **route.body(),
            )
            tried += 1
            if route.finds_nothing(answer):
                continue
            # A link is looked at before what it leads to.
            is_link = route.is_open and name == "export_id"
            assert refusal(answer, (route, name)) == (
                (403, "export_link_invalid") if is_link else (404, "not_found")
            )
    assert tried >= 8, "the document names no ids"
    answer = await ground.stranger.post(
        "/submissions", json={"account_id": ground.ids["account_id"], "to": ["a@example.org"]}
    )
    assert refusal(answer, "sending as somebody else") == (404, "not_found")

    # And nothing happened to what is there.
    kept = (await ground.owner.get(f"/accounts/{ground.ids['account_id']}")).json()
    assert kept["name"] == "Test"
    opened = await ground.owner.get(f"/messages/{ground.ids['message_id']}")
    assert "Nobody else's business" in opened.json()["text"]
    found = await ground.stranger.get("/search", params={"q": "business"})
    assert found.json()["items"] == []
    told = (await ground.stranger.get("/events", params={"after": "earliest"})).json()["items"]
    assert not [event for event in told if event["account_id"] is not None]


async def test_an_id_that_is_nobodys_is_not_there_on_any_route(ground: Ground) -> None:
    for route in ground.routes:
        for name in (name for name in route.parameters if name.endswith("_id")):
            prefix = ground.ids[name][:4]
            for strange in (
                prefix + "0" * 26,
                prefix + "z" * 26,
                prefix + "٠" * 26,
                ground.ids[name].upper(),
                ground.ids[name][4:],
                f"ten_{ground.ids[name][4:]}",
                str(read(Kind(prefix[:3]), ground.ids[name])),
                "-1",
                "%00",
                "%C3%28",
                "%F0%9F%93%AC",
                "..%2F..%2Fetc%2Fpasswd",
                "' OR 1=1 --",
                "x" * 6000,
            ):
                ids = {**ground.ids, name: strange}
                needed = "".join(f"&{key}={value}" for key, value in route.needed().items())
                asked = "" if route.parameters[name] == "path" else f"{name}={strange}"
                query = f"?{asked}{needed}"
                answer = await ground.owner.request(
                    route.method, route.path(ids) + query, **route.body()
                )
                if route.finds_nothing(answer):
                    continue
                # A link is looked at before what it leads to.
                links = {(403, "export_link_invalid")} if route.is_open else set[Any]()
                refused = refusal(answer, (route, name, strange[:40]))
                assert refused in {(404, "not_found"), *links}, (route, strange[:40])


async def test_absurd_limits_and_cursors_are_refused_wherever_there_are_any(
    ground: Ground,
) -> None:
    limits = ("0", "-1", "201", "9" * 5000, "1e3", "0x10", "", "many", "٣", "1\0", "1;DROP")
    cursors = (
        *("x", "\0", "=", "====", "%%%", "é" * 50, "x" * 6000, "1-1-1", "-", "1-" + "9" * 30),
        # Ours in form, and about moments and rows that cannot be.
        *(
            base64.urlsafe_b64encode(msgspec.msgpack.encode(forged)).decode().rstrip("=")
            for forged in (
                (2**63 - 1, uuid4()),
                (-(2**63), uuid4()),
                (0, "not a UUID"),
                ({}, uuid4()),
                (True, uuid4(), uuid4()),
                [[[]]] * 10,
            )
        ),
    )
    tried: set[str] = set()
    for route in ground.routes:
        asked = {
            "account_id": ground.ids["account_id"],
            "q": "subject:business",
        }
        base = {name: asked[name] for name in route.named("query") if name in asked}
        for name, values, code in (
            ("limit", limits, (422, "validation_failed")),
            ("cursor", cursors, (400, "cursor_invalid")),
            ("after", cursors, (400, "cursor_invalid")),
            ("wait", ("-1", "61", "nan", "inf", "1e999", "soon"), (422, "validation_failed")),
        ):
            if name not in route.named("query"):
                continue
            tried.add(name)
            for value in values:
                answer = await ground.owner.request(
                    route.method, route.path(ground.ids), params={**base, name: value}
                )
                assert refusal(answer, (route, name, value[:60])) == code
        # The same, twice: no list sneaks in where one value is meant.
        for name in route.named("query"):
            answer = await ground.owner.get(
                route.path(ground.ids), params=[*base.items(), (name, "\0"), (name, "\0")]
            )
            problem(answer, (route, name, "NUL"))
    assert tried == {"limit", "cursor", "after", "wait"}
    # The ends of time are moments like others: nothing is there.
    for moment in (-62135596800000000, 253402300799999999):
        cursor = base64.urlsafe_b64encode(msgspec.msgpack.encode((moment, UUID(int=0))))
        for path in ("/messages", "/submissions"):
            answer = await ground.owner.get(
                path,
                params={
                    "account_id": ground.ids["account_id"],
                    "cursor": cursor.decode().rstrip("="),
                },
            )
            assert answer.status_code == 200, (path, moment, answer.text)


async def test_a_method_that_a_path_does_not_have_is_refused_and_the_others_named(
    stack: Stack, ground: Ground
) -> None:
    there: dict[str, set[str]] = {}
    for route in ground.routes:
        there.setdefault(BASE + route.path(ground.ids), set()).add(route.method)
    there |= {"/": {"get"}, "/docs": {"get"}, f"{BASE}/openapi.json": {"get"}}
    async with httpx.AsyncClient(base_url=stack.url, headers=ground.owner.headers) as client:
        for path, methods in there.items():
            for method in METHODS:
                if method in methods:
                    continue
                answer = await client.request(method, path)
                about = (method, path)
                if method == "head" and "get" in methods:
                    got = await client.get(path)
                    assert (answer.status_code, answer.content) == (got.status_code, b""), about
                    continue
                if method == "head":
                    assert answer.status_code == 405, about
                    continue
                assert refusal(answer, about) == (405, "method_not_allowed")
                allowed = {each.strip().lower() for each in answer.headers["allow"].split(",")}
                assert methods <= allowed, about
                assert method not in allowed, about


async def test_a_path_that_is_not_there_is_a_problem_wherever_it_is(
    stack: Stack, ground: Ground
) -> None:
    async with httpx.AsyncClient(base_url=stack.url, headers=ground.owner.headers) as client:
        for path in (
            "/nothing",
            "/api",
            "/api/",
            "/api/v1",
            "/api/v1/",
            "/api/v2/accounts",
            "/api/v1/nothing",
            "/api/v1/accounts/a/b/c",
            "/docs/nothing",
            "/docs/nothing/at/all",
            "/docs/openapi.xml",
            "/docs/..%2f..%2fetc%2fpasswd",
            "/docs/%00",
            "/docs/swagger",
            "/docs/redoc",
            "/static/x",
            "/health/x",
            "/metrics/x",
            "/%00",
            "/%FF%FE",
            "/" + "x" * 20_000,
            "/" + "x/" * 5_000,
            "/favicon.ico",
            "/.env",
        ):
            answer = await client.get(path)
            assert refusal(answer, path[:60]) == (404, "not_found")


async def test_a_token_that_is_wrong_opens_no_route(stack: Stack, ground: Ground) -> None:
    keys = TokenKeys.read((stack.home / "secrets" / "jwt.json").read_text())
    now = datetime.now(UTC)
    mine = ground.owner.headers["Authorization"].partition(" ")[2]
    theirs = ground.stranger.headers["Authorization"].partition(" ")[2]
    me, them = claims_of(mine, keys, now=now), claims_of(theirs, keys, now=now)
    hour = timedelta(hours=1)
    own_key = TokenKeys(keys.current, {keys.current: b"k" * 32})
    unknown_key = TokenKeys("mine", {"mine": b"k" * 32})
    said = jwt.decode(mine, options={"verify_signature": False})

    def of(tenant: Claims, person: Claims, session: Claims) -> str:
        claims = Claims(
            tenant_id=tenant.tenant_id, person_id=person.person_id, session_id=session.session_id
        )
        return access_token(claims, keys, now=now, lives=hour)

    head, payload, signature = mine.split(".")
    tokens = {
        "expired": access_token(me, keys, now=now - hour, lives=timedelta(minutes=59)),
        "signed by somebody else as us": access_token(me, own_key, now=now, lives=hour),
        "signed under a name we do not know": access_token(me, unknown_key, now=now, lives=hour),
        "signed by nobody": jwt.encode(said, None, algorithm="none", headers={"kid": keys.current}),
        "of another tenant in my session": of(them, me, me),
        "of another person in my session": of(me, them, me),
        "of another session of mine": of(me, me, them),
        "with another's content": f"{head}.{theirs.split('.')[1]}.{signature}",
        "cut": mine[:-4],
        "without its signature": f"{head}.{payload}.",
        "no token": "x",
        "three dots": "...",
        "very long": "x" * 30_000,
        "a refresh token": "pbr_" + "x" * 43,
        "control characters": "a.b\x7fc.d",
        "not ASCII": "\xff\xfe",
    }
    headers = {about: f"Bearer {token}" for about, token in tokens.items()} | {
        "empty": "",
        "a scheme alone": "Bearer",
        "another scheme": f"Basic {mine}",
        "no scheme": mine,
        "two": f"Bearer {mine} {mine}",
    }
    async with httpx.AsyncClient(base_url=f"{stack.url}{BASE}") as client:
        for about, header in headers.items():
            answer = await client.get(
                "/accounts", headers={"Authorization": header.encode("latin-1")}
            )
            if about == "control characters":  # which no HTTP header has
                assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
                continue
            assert refusal(answer, about) == (401, "token_invalid")
            assert answer.headers["www-authenticate"] == "Bearer"
        # Without any, no route says a word, whatever else is wrong, but signing in and images,
        # which have a signature of their own.
        for route in ground.routes:
            if route.is_open:
                continue
            answer = await client.request(route.method, route.path(ground.ids), content=b"{")
            assert refusal(answer, route) == (401, "token_invalid")
    for name in (shown(Kind.TENANT, them.tenant_id), str(them.tenant_id), "", "\xff"):
        answer = await ground.owner.get(
            "/accounts", headers={"X-Tenant-ID": name.encode("latin-1")}
        )
        assert refusal(answer, f"X-Tenant-ID: {name}") == (401, "token_invalid")
    answer = await ground.owner.post("/auth/refresh", json={"refresh_token": "pbr_" + "x" * 43})
    assert refusal(answer, "a made-up refresh token") == (401, "token_invalid")
    assert (await ground.owner.get("/accounts")).status_code == 200


async def test_headers_that_are_nonsense_hurt_nobody(ground: Ground) -> None:
    body = {"account_id": ground.ids["account_id"], "to": ["a@example.org"], "text": "x"}
    for key in ("", "x" * 201, "x" * 20_000):
        answer = await ground.owner.post(
            "/submissions", json=body, headers={"Idempotency-Key": key}
        )
        assert refusal(answer, len(key)) == (422, "validation_failed")
    for accept in ("image/png", ";;;", "text/event-stream;q=x", "*", "\xff", ","):
        answer = await ground.owner.get("/accounts", headers={"Accept": accept.encode("latin-1")})
        assert answer.status_code < 500, (accept, answer.text)
        answer = await ground.owner.get(
            "/events", params={"after": "x"}, headers={"Accept": accept.encode("latin-1")}
        )
        assert refusal(answer, accept) == (400, "cursor_invalid")
    for last in ("x", "\xff", "9" * 400, "1-2-3"):
        answer = await ground.owner.get(
            "/events",
            headers={"Accept": "text/event-stream", "Last-Event-ID": last.encode("latin-1")},
        )
        assert refusal(answer, last[:20]) == (400, "cursor_invalid")
    answer = await ground.owner.get("/nothing", headers={"X-Request-ID": "of-mine.1"})
    assert problem(answer, "a request id of one's own")["request_id"] == "of-mine.1"
    answer = await ground.owner.get("/nothing", headers={"X-Request-ID": '"}\x7f<script>'})
    assert "script" not in answer.text


async def test_a_hundred_megabytes_are_refused_and_not_kept(stack: Stack, ground: Ground) -> None:
    gateway = psutil.Process(stack.pids()["api"])

    async def much() -> AsyncIterator[bytes]:
        for _ in range(HUNDRED_MEGABYTES // 65536):
            yield b"x" * 65536

    before = gateway.memory_info().rss
    sending = [
        ground.owner.post("/submissions", content=much()),  # chunked
        ground.owner.patch(
            f"/accounts/{ground.ids['account_id']}", content=b"x" * HUNDRED_MEGABYTES
        ),
        ground.owner.post("/auth/login", content=b'{"email": "' + b"x" * HUNDRED_MEGABYTES),
    ]
    for answer in await asyncio.gather(*sending):
        assert refusal(answer, answer.request.url) == (413, "body_too_large")
    assert gateway.memory_info().rss - before < HUNDRED_MEGABYTES / 2
    # Who has no token is not listened to at all.
    async with httpx.AsyncClient(base_url=f"{stack.url}{BASE}") as client:
        answer = await client.post("/accounts", content=much())
    assert refusal(answer, "no token") == (401, "token_invalid")
    assert (await ground.owner.get("/accounts")).status_code == 200


async def test_a_settings_change_that_cannot_be_is_refused_and_changes_nothing(
    ground: Ground, dovecot: Dovecot
) -> None:
    path = f"/accounts/{ground.ids['account_id']}"
    before = (await ground.owner.get(path)).json()
    whole = connection(dovecot.imap_port, before["email"])
    for wrong in (
        {"imap": {"port": 0}},
        {"imap": {"port": 65536}},
        {"imap": {"port": 1.5}},
        {"imap": {"security": "ssl"}},
        {"imap": {"host": "a b"}},
        {"imap": {"host": "x" * 300}},
        {"imap": {"host": "127.0.0.1\0"}},
        {"imap": {"host": "http://127.0.0.1/"}},
        {"imap": {"host": "elsewhere.example"}},
        {"imap": {**whole, "username": "a\r\nb LOGIN"}},
        {"imap": {**whole, "password": ""}},
        {"imap": {**whole, "password": "x" * 2000}},
        {"email": "other@example.org"},
        {"name": "x" * 201},
        {"name": "a\nb"},
        {"state": "live"},
    ):
        answer = await ground.owner.patch(path, json=wrong)
        assert refusal(answer, wrong)[0] == 422
    after = (await ground.owner.get(path)).json()
    assert after == before
