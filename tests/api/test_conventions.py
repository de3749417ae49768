"""What holds for every route: repeating, conditions, fields, compression, origins."""

import asyncio
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import zstandard

from services.api.actions.repeating import claim_key, forget_keys
from services.api.domain.refusals import KeyInUse
from services.api.http.answers import _encoding  # pyright: ignore[reportPrivateUsage]
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, read
from tests.api.conftest import Api, Person, an_account, running_api
from tests.api.mail import Ground
from tests.platform import Platform

KEY = {"Idempotency-Key": "a-key"}


async def test_a_post_that_is_repeated_with_its_key_is_carried_out_once(
    api: Api, ada: Person
) -> None:
    first = await ada.http.post("/accounts", json=an_account(), headers=KEY)
    again = await ada.http.post("/accounts", json=an_account(), headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await ada.items("/accounts")) == 1

    async with api.person() as eve:
        hers = await eve.http.post("/accounts", json=an_account(), headers=KEY)
        assert "idempotency-replayed" not in hers.headers
        assert hers.json()["id"] != first.json()["id"]


async def test_a_key_belongs_to_one_request(ada: Person) -> None:
    first = await ada.http.post("/accounts", json=an_account(), headers=KEY)
    account = first.json()["id"]
    other_body = await ada.http.post("/accounts", json=an_account(name="Other"), headers=KEY)
    other_path = await ada.http.post(f"/accounts/{account}:check", headers=KEY)
    for answer in (other_body, other_path):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_what_is_under_way_is_not_begun_again(api: Api, ada: Person) -> None:
    caller = Caller(tenant_id=ada.tenant_id, account_ids=(), request_id=None)
    person_id = read(Kind.USER, ada.tokens["user"]["id"])
    await claim_key(api.world.request_pool, caller, person_id, "slow", b"digest")
    with pytest.raises(KeyInUse):
        await claim_key(api.world.request_pool, caller, person_id, "slow", b"digest")

    answers = await asyncio.gather(
        *(ada.http.post("/accounts", json=an_account(), headers=KEY) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "idempotency_key_in_use"
            assert answer.headers["retry-after"] == "1"
    assert len(await ada.items("/accounts")) == 1


async def test_a_key_whose_gateway_died_may_be_used_again(api: Api, ada: Person) -> None:
    caller = Caller(tenant_id=ada.tenant_id, account_ids=(), request_id=None)
    person_id = read(Kind.USER, ada.tokens["user"]["id"])
    await claim_key(api.world.request_pool, caller, person_id, "lost", b"digest")
    await api.admin.execute(
        "UPDATE api.idempotency_key SET claimed_at = $1", datetime.now(UTC) - timedelta(minutes=6)
    )
    await claim_key(api.world.request_pool, caller, person_id, "lost", b"other")


async def test_what_was_refused_may_be_asked_otherwise_with_the_same_key(ada: Person) -> None:
    refused = await ada.http.post("/accounts", json={}, headers=KEY)
    done = await ada.http.post("/accounts", json=an_account(), headers=KEY)
    assert (refused.status_code, done.status_code) == (422, 201)


async def test_keys_are_forgotten_after_a_day(api: Api, ada: Person) -> None:
    await ada.http.post("/accounts", json=an_account(), headers=KEY)
    await forget_keys(api.world.pool)
    assert len(await api.rows("idempotency_key", "key")) == 1
    await api.admin.execute(
        "UPDATE api.idempotency_key SET claimed_at = $1", datetime.now(UTC) - timedelta(hours=25)
    )
    await forget_keys(api.world.pool)
    assert await api.rows("idempotency_key", "key") == []


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_key_that_is_none_is_refused(ada: Person, key: str) -> None:
    answer = await ada.http.post("/accounts", json={}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


async def test_who_has_an_answer_already_is_told_so(ada: Person, ground: Ground) -> None:
    first = await ada.http.get("/accounts")
    tag = first.headers["etag"]
    same = await ada.http.get("/accounts", headers={"If-None-Match": f'"x", {tag}'})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == tag
    await ada.http.patch(f"/accounts/{first.json()['items'][0]['id']}", json={"name": "New"})
    changed = await ada.http.get("/accounts", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    refused = await ada.http.get("/accounts/nothing", headers={"If-None-Match": "*"})
    assert refused.status_code == 404


async def test_a_list_shows_the_fields_that_are_asked_for(ada: Person, ground: Ground) -> None:
    answer = await ada.http.get("/accounts", params={"fields": "id, state"})
    (entry,) = answer.json()["items"]
    assert entry.keys() == {"id", "state"}
    wrong = await ada.http.get("/accounts", params={"fields": "id,password,x"})
    assert wrong.status_code == 422
    assert [(one["parameter"], one["code"]) for one in wrong.json()["errors"]] == [
        ("fields", "not_a_choice")
    ] * 2
    assert (await ada.http.get("/accounts", params={"fields": ""})).status_code == 422


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
async def test_long_answers_come_compressed_to_who_can_read_them(api: Api, encoding: str) -> None:
    async with api.client() as client:
        plain = await client.get("/openapi.json", headers={"Accept-Encoding": "identity"})
        async with client.stream(
            "GET", "/openapi.json", headers={"Accept-Encoding": encoding}
        ) as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    unpack = {"gzip": gzip.decompress, "zstd": zstandard.ZstdDecompressor().decompress}
    assert unpack[encoding](raw) == plain.content
    assert len(raw) < len(plain.content) / 4
    assert answer.headers["etag"] == plain.headers["etag"]
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", None),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0", "gzip"),
        ("br;q=1, *;q=0.1", None),
        ("GZIP;q=0.5", "gzip"),
        ("gzip;q=much", None),
    ],
)
def test_only_what_the_client_takes_is_used(accepted: str, chosen: str | None) -> None:
    assert _encoding(accepted) == chosen


async def test_pages_elsewhere_may_use_the_api_where_the_operator_says_so(
    platform: Platform, seal_directory: Path, api: Api
) -> None:
    asking = {"Origin": "https://mail.example", "Access-Control-Request-Method": "POST"}
    async with (
        running_api(platform, seal_directory, cors_origins="https://mail.example") as open_one,
        open_one.client() as client,
    ):
        asked = await client.options("/accounts", headers=asking)
        assert asked.headers["access-control-allow-origin"] == "https://mail.example"
        assert "POST" in asked.headers["access-control-allow-methods"]
        refused = await client.get("/accounts", headers={"Origin": "https://mail.example"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://mail.example"
        assert "ratelimit" in refused.headers["access-control-expose-headers"].lower()
        stranger = await client.get("/accounts", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers
    async with api.client() as client:
        closed = await client.get("/accounts", headers={"Origin": "https://mail.example"})
        assert "access-control-allow-origin" not in closed.headers


async def test_every_post_of_somebody_signed_in_is_documented_as_repeatable(api: Api) -> None:
    async with api.client() as client:
        document = msgspec.json.decode((await client.get("/openapi.json")).content)
    repeatable = {
        path: any(one["name"] == "Idempotency-Key" for one in item["post"].get("parameters", ()))
        for path, item in document["paths"].items()
        if item.get("post", {}).get("security")
    }
    # Whose answers hold a secret, which is kept nowhere, or say how things are now.
    assert {path.removeprefix("/api/v1") for path, may in repeatable.items() if not may} == {
        "/accounts/{account_id}:test",
        "/accounts:test",
        "/connect-links",
        "/discover",
        "/invitations",
        "/tokens",
        "/webhooks",
        "/webhooks/{webhook_id}:rotate-secret",
    }


async def test_the_line_on_which_heads_were_asked_for_stays_open(api: Api, ada: Person) -> None:
    request = (
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n"
        f"Authorization: {ada.http.headers['authorization']}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    for method, path, status in (
        ("HEAD", "/api/v1/accounts", b"200"),
        ("HEAD", "/api/v1/accounts:test", b"405"),
        ("HEAD", "/api/v1/openapi.json", b"200"),
        ("HEAD", "/nothing", b"404"),
    ):
        writer.write(request.format(method=method, path=path).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split()[1] == status, (method, path)
        assert b"connection: close" not in head.lower()
    writer.close()
