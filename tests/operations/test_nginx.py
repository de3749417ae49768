"""The door: infra/nginx, run by Debian's nginx before a gateway that says what it was asked."""

import asyncio
import json
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from services.api.http.webmail import PAGE_POLICY, pages
from tests.operations.gateway import Gateway, gateway
from tests.servers.certificate import self_signed
from tests.servers.nginx import START, Nginx
from tests.servers.process import ServerUnavailable, short_directory

# As browsers call it and as nothing else does.
ANY_RATE = {
    "NGINX_API_PER_SECOND": "10000",
    "NGINX_AUTH_PER_MINUTE": "10000",
    "NGINX_COMPOSE_PER_MINUTE": "10000",
}


@pytest.fixture
async def door(request: Any) -> AsyncIterator[tuple[Nginx, Gateway]]:
    try:
        Nginx.require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    settings = getattr(request, "param", ANY_RATE)
    async with AsyncExitStack() as stack:
        app, url = await stack.enter_async_context(gateway())
        directory = stack.enter_context(short_directory("postbus-nginx-"))
        nginx = Nginx(directory, url, **settings)
        (nginx.webmail / "index.html").write_text("<!doctype html>webmail")
        (nginx.webmail / "icon.svg").write_text("<svg/>")
        (nginx.webmail / "assets/index-1a2b.js").write_text("let it = 'be';\n" * 200)
        yield stack.enter_context(nginx), app


def client(nginx: Nginx) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=nginx.url, verify=nginx.trust, timeout=60)


PROTECTION = {
    "strict-transport-security": "max-age=63072000",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


async def test_every_answer_carries_what_protects_who_reads_it_also_a_refusal(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, _ = door
    async with client(nginx) as asking:
        answers = [
            await asking.get("/api/v1/echo"),
            await asking.get("/api/v1/refused"),
            await asking.get("/assets/none.js"),
            await asking.get("/mail/inbox"),
            await asking.post("/api/v1/echo", content=b"x" * 9_000_000),
        ]
    assert [answer.status_code for answer in answers] == [200, 403, 404, 200, 413]
    for answer in answers:
        for name, value in PROTECTION.items():
            assert answer.headers.get_list(name) == [value], answer.url
        assert len(answer.headers.get_list("content-security-policy")) == 1
        assert len(answer.headers.get_list("x-request-id")) == 1
        assert len(answer.headers.get_list("cache-control")) == 1
        assert re.fullmatch(r"nginx", answer.headers["server"])


async def test_what_the_gateway_says_of_its_own_answers_stands(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, _ = door
    async with client(nginx) as asking:
        answer = await asking.get("/api/v1/refused")
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["retry-after"] == "7"
    assert "x-frame-options" not in answer.headers


async def test_nothing_of_anybody_is_kept_and_assets_are_kept_for_ever(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, _ = door
    async with client(nginx) as asking:
        kept = {
            path: (await asking.get(path)).headers["cache-control"]
            for path in (
                "/api/v1/echo",
                "/mail/inbox",
                "/icon.svg",
                "/assets/index-1a2b.js",
                "/assets/x.js",
            )
        }
    assert kept == {
        "/api/v1/echo": "no-store",
        "/mail/inbox": "no-cache",
        "/icon.svg": "no-cache",
        "/assets/index-1a2b.js": "public, max-age=31536000, immutable",
        "/assets/x.js": "no-store",
    }


async def test_each_address_of_the_webmail_shows_its_page_with_the_gateways_own_policy(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, app = door
    paths = [path.replace("{rest:path}", "all/msg_1") for path in sorted(pages.paths)]
    async with client(nginx) as asking:
        for path in [*paths, "/"]:
            answer = await asking.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
            assert (answer.status_code, answer.text) == (200, "<!doctype html>webmail"), path
            assert answer.headers["content-security-policy"] == PAGE_POLICY
            assert answer.headers["x-frame-options"] == "DENY"
        assert app.asked == []
        assert (await asking.get("/", headers={"Accept": "application/json"})).json()
        assert (await asking.get("/index.html")).status_code == 404
    assert app.asked == ["GET /"]


async def test_what_nginx_refuses_is_a_problem_like_the_gateways(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, _ = door
    async with client(nginx) as asking:
        answer = await asking.post(
            "/api/v1/echo", content=b"x" * 9_000_000, headers={"X-Request-ID": "abc-1"}
        )
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "body_too_large"
    assert problem["type"] == "urn:postbus:problem:body_too_large"
    assert problem["status"] == answer.status_code == 413
    assert problem["request_id"] == answer.headers["x-request-id"] == "abc-1"


async def test_a_gateway_that_is_away_is_a_problem_that_says_when_to_come_again(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, _ = door
    nginx.stop()
    nginx.settings["NGINX_API"] = "http://127.0.0.1:1"
    nginx.start()
    async with client(nginx) as asking:
        answer = await asking.get("/api/v1/echo")
        page = await asking.get("/mail/inbox")
    assert answer.status_code == 502
    assert answer.json()["code"] == "temporarily_unavailable"
    assert answer.headers["retry-after"] == "5"
    assert page.status_code == 200, "the webmail says by itself that nobody answers"


async def test_a_client_is_who_comes_to_us_and_not_who_it_says_it_is(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, _ = door
    async with client(nginx) as asking:
        told = (
            await asking.get(
                "/api/v1/echo",
                headers={"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "not one"},
            )
        ).json()
    assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert told["scheme"] == "https"
    assert told["headers"]["host"] == f"localhost:{nginx.https_port}"
    assert re.fullmatch(r"[0-9a-f]{32}", told["headers"]["x-request-id"])


@pytest.mark.parametrize("door", [ANY_RATE | {"NGINX_TRUSTED_PROXIES": "127.0.0.1"}], indirect=True)
async def test_a_proxy_that_the_operator_names_is_believed_for_whom_it_asks(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, _ = door
    async with client(nginx) as asking:
        told = (
            await asking.get("/api/v1/echo", headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9"})
        ).json()
    assert told["headers"]["x-forwarded-for"] == "203.0.113.9"


async def test_an_event_is_there_when_it_happens(door: tuple[Nginx, Gateway]) -> None:
    nginx, app = door
    async with (
        client(nginx) as asking,
        asking.stream("GET", "/api/v1/events", headers={"Accept-Encoding": "gzip"}) as answer,
    ):
        parts = answer.aiter_raw()
        # The second event is not told before the first was read here.
        assert await anext(parts) == b"id: 1\n\n"
        app.go_on.set()
        assert await anext(parts) == b"id: 2\n\n"
        assert "content-encoding" not in answer.headers


async def test_an_upload_reaches_the_gateway_while_it_is_still_being_sent(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, app = door

    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * 4096
        async with asyncio.timeout(60):
            await app.first_part.wait()
        for _ in range(12):
            yield b"y" * 1_000_000

    async with client(nginx) as asking:
        answer = await asking.post("/api/v1/uploads", content=parts())
    assert answer.json() == {"size": 12_004_096}


async def test_long_answers_travel_compressed(door: tuple[Nginx, Gateway]) -> None:
    nginx, _ = door
    async with client(nginx) as asking:
        for path in ("/api/v1/echo", "/assets/index-1a2b.js"):
            answer = await asking.get(path)
            assert answer.headers["content-encoding"] == "gzip"
            assert "Accept-Encoding" in answer.headers["vary"]


async def test_who_comes_without_tls_is_shown_the_way_to_it(door: tuple[Nginx, Gateway]) -> None:
    nginx, app = door
    (nginx.acme / ".well-known/acme-challenge").mkdir(parents=True)
    (nginx.acme / ".well-known/acme-challenge/token").write_text("proof")
    async with httpx.AsyncClient(base_url=f"http://localhost:{nginx.http_port}") as asking:
        moved = await asking.post("/api/v1/auth/login?x=1")
        assert moved.status_code == 308
        assert moved.headers["location"] == f"{nginx.url}/api/v1/auth/login?x=1"
        assert "strict-transport-security" not in moved.headers
        assert (await asking.get("/.well-known/acme-challenge/token")).text == "proof"
        assert (await asking.get("/health")).status_code == 200
    assert app.asked == []


@pytest.mark.parametrize(
    ("version", "served"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
async def test_nothing_older_than_tls_1_2_is_spoken_and_http_2_is(
    door: tuple[Nginx, Gateway], version: ssl.TLSVersion, served: bool
) -> None:
    nginx, _ = door
    trust = nginx.trust
    # The oldest that OpenSSL can still speak is asked for with its weakest ciphers.
    trust.set_ciphers("ALL:@SECLEVEL=0")
    trust.minimum_version = trust.maximum_version = version
    trust.set_alpn_protocols(["h2", "http/1.1"])

    async def chosen() -> tuple[str | None, str | None]:
        _, writer = await asyncio.open_connection("localhost", nginx.https_port, ssl=trust)
        spoken: ssl.SSLObject = writer.get_extra_info("ssl_object")
        writer.close()
        return spoken.version(), spoken.selected_alpn_protocol()

    if served:
        assert await chosen() == (version.name.replace("_", "."), "h2")
    else:
        with pytest.raises(ssl.SSLError):
            await chosen()


async def test_a_cipher_without_forward_secrecy_is_refused(door: tuple[Nginx, Gateway]) -> None:
    nginx, _ = door
    trust = nginx.trust
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    trust.set_ciphers("AES256-GCM-SHA384:AES128-SHA:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        await asyncio.open_connection("localhost", nginx.https_port, ssl=trust)


# Rates so low that nothing is given back while a test runs: what counts is the burst.
STRICT = {
    "NGINX_API_PER_SECOND": "1",
    "NGINX_API_BURST": "30",
    "NGINX_AUTH_PER_MINUTE": "5",
    "NGINX_COMPOSE_PER_MINUTE": "7",
}


@pytest.mark.parametrize("door", [STRICT], indirect=True)
async def test_attempts_to_sign_in_and_to_send_are_counted_apart_and_refused_beyond_their_limit(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, _ = door

    async def until_refused(method: str, path: str) -> int:
        async with client(nginx) as asking:
            for passed in range(60):
                answer = await asking.request(method, path)
                if answer.status_code == 429:
                    assert answer.json()["code"] == "rate_limited"
                    assert answer.headers["retry-after"] == "60"
                    return passed
                assert answer.status_code == 200
        return 60

    # One, and as many again as the minute allows; a slow machine may have got one back.
    assert 6 <= await until_refused("POST", "/api/v1/auth/login") <= 9
    assert 8 <= await until_refused("POST", "/api/v1/submissions") <= 12
    async with client(nginx) as asking:
        assert (await asking.post("/auth/login")).status_code == 429, "an earlier name, the same"
        assert (await asking.post("/api/v1/drafts/drf_1/send")).status_code == 429
        assert (await asking.get("/api/v1/submissions")).status_code == 200
        assert (await asking.post("/api/v1/auth/refresh")).status_code == 200


@pytest.mark.parametrize("door", [STRICT], indirect=True)
async def test_beyond_its_limit_a_client_still_sees_the_webmail_and_health(
    door: tuple[Nginx, Gateway],
) -> None:
    nginx, _ = door
    async with client(nginx) as asking:
        statuses = [(await asking.get("/api/v1/echo")).status_code for _ in range(60)]
        assert set(statuses) == {200, 429}
        assert {(await asking.get("/health")).status_code for _ in range(60)} == {200}
        assert {(await asking.get("/mail/inbox")).status_code for _ in range(60)} == {200}


@pytest.mark.parametrize("door", [ANY_RATE | {"NGINX_CONNECTIONS": "3"}], indirect=True)
async def test_one_client_holds_so_many_streams_and_no_more(door: tuple[Nginx, Gateway]) -> None:
    nginx, app = door
    async with client(nginx) as asking, AsyncExitStack() as open_streams:
        for _ in range(3):
            answer = await open_streams.enter_async_context(asking.stream("GET", "/api/v1/events"))
            assert answer.status_code == 200
        assert (await asking.get("/api/v1/events")).status_code == 429
        assert (await asking.get("/health")).status_code == 200
        app.go_on.set()


async def test_the_log_tells_no_query_and_who_asked(door: tuple[Nginx, Gateway]) -> None:
    nginx, _ = door
    async with client(nginx) as asking:
        await asking.get("/api/v1/search?q=secret", headers={"Authorization": "Bearer hidden"})
    nginx.stop()
    (line,) = nginx.log.read_text().splitlines()
    assert json.loads(line)["path"] == "/api/v1/search"
    assert json.loads(line)["client"] == "127.0.0.1"
    assert "secret" not in line
    assert "hidden" not in line


async def test_a_certificate_that_was_renewed_is_taken_up(door: tuple[Nginx, Gateway]) -> None:
    nginx, _ = door
    with short_directory("postbus-renewed-") as directory:
        renewed, key = self_signed(directory)
        # The key first, as whoever renews does: what is looked at is the certificate.
        shutil.copyfile(key, nginx.key)
        shutil.copyfile(renewed, nginx.certificate)
    expected = ssl.PEM_cert_to_DER_cert(nginx.certificate.read_text())

    async def shown() -> bytes | None:
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("localhost", nginx.https_port, ssl=unverified)
        spoken: ssl.SSLObject = writer.get_extra_info("ssl_object")
        writer.close()
        return spoken.getpeercert(binary_form=True)

    async with asyncio.timeout(60):
        while await shown() != expected:
            await asyncio.sleep(0.05)


def test_every_setting_of_the_door_is_explained() -> None:
    read = set(re.findall(r": \"\$\{(NGINX_[A-Z_]+):?=", START.read_text()))
    used = {
        name
        for template in START.parent.glob("*.template")
        for name in re.findall(r"\$\{(NGINX_[A-Z_]+)\}", template.read_text())
    }
    made = {"NGINX_PAGE_POLICY", "NGINX_HTTPS_SUFFIX"}
    assert used - made <= read
    assert read - used == {"NGINX_HTTPS_PORT", "NGINX_TRUSTED_PROXIES"}
