import asyncio
import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
from litestar.connection import ASGIConnection

from services.api.actions.hashing import open_hashing
from services.api.actions.sessions import KeyFile
from services.api.domain import passwords
from services.api.domain.refusals import TokenRefused
from services.api.domain.tokens import Claims, KeysUnusable, TokenKeys, access_token, claims_of
from services.api.http.limits import client_of
from tests.api.conftest import PASSWORD, Api, Person, running_api
from tests.platform import Platform

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


async def test_who_has_registered_signs_in_and_out(api: Api, ada: Person) -> None:
    async with api.client() as client:
        answer = await client.post(
            "/auth/login", json={"email": ada.email.upper(), "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        assert tokens["tenant"]["id"] == ada.tokens["tenant"]["id"]
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert (await client.get("/accounts")).status_code == 200

        assert (await client.post("/auth/logout")).status_code == 204
        assert (await client.get("/accounts")).status_code == 401
        renewal = await client.post(
            "/auth/refresh", json={"refresh_token": tokens["refresh_token"]}
        )
        assert renewal.status_code == 401
    assert (await ada.http.get("/accounts")).status_code == 200  # another session


@pytest.mark.parametrize("password", ["wrong password", ""])
async def test_wrong_address_and_wrong_password_are_not_told_apart(
    api: Api, ada: Person, password: str
) -> None:
    async with api.client() as client:
        answers = [
            await client.post("/auth/login", json={"email": email, "password": password})
            for email in (ada.email, "nobody@example.org", "not an address")
        ]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["code"] for answer in answers} == {"credentials_wrong"}
    assert len({answer.json()["detail"] for answer in answers}) == 1


async def test_an_address_registers_once(api: Api, ada: Person) -> None:
    async with api.client() as client:
        answer = await client.post(
            "/auth/register", json={"email": ada.email.title(), "password": PASSWORD}
        )
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert answer.json()["errors"][0]["pointer"] == "/email"


async def test_a_refresh_token_is_good_once_and_a_second_use_ends_the_session(
    api: Api, ada: Person
) -> None:
    async with api.client() as client:
        first = ada.tokens["refresh_token"]
        renewed = await client.post("/auth/refresh", json={"refresh_token": first})
        assert renewed.status_code == 200
        second = renewed.json()["refresh_token"]
        assert second != first

        stolen = await client.post("/auth/refresh", json={"refresh_token": first})
        assert (stolen.status_code, stolen.json()["code"]) == (401, "token_invalid")
        for token in (second, first):
            gone = await client.post("/auth/refresh", json={"refresh_token": token})
            assert gone.status_code == 401
    assert (await ada.http.get("/accounts")).status_code == 401


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer a.b.c", "Bearer é", "Bearer " + "x" * 5000],
)
async def test_what_is_no_token_is_refused_with_a_problem(api: Api, header: str) -> None:
    async with api.client() as client:
        answer = await client.get("/accounts", headers={b"Authorization": header.encode()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "token_invalid"


def test_tokens_signed_with_an_earlier_key_are_good_until_they_expire() -> None:
    claims = Claims(tenant_id=UUID(int=1), person_id=UUID(int=2), session_id=UUID(int=3))
    old = TokenKeys("a", {"a": b"1" * 32})
    token = access_token(claims, old, now=NOW, lives=timedelta(minutes=15))
    rotated = old.with_new("b", b"2" * 32)
    assert rotated.current == "b"
    assert claims_of(token, rotated, now=NOW + timedelta(minutes=14)) == claims
    with pytest.raises(TokenRefused):
        claims_of(token, rotated, now=NOW + timedelta(minutes=15))
    for kid in "cdef":
        rotated = rotated.with_new(kid, kid.encode() * 32)
    with pytest.raises(TokenRefused):
        claims_of(token, rotated, now=NOW)
    assert TokenKeys.read(rotated.written()) == rotated


def test_new_keys_count_as_soon_as_they_are_there_and_damaged_ones_never(tmp_path: Path) -> None:
    def replaced_by(text: str) -> None:
        draft = tmp_path / "draft"
        draft.write_text(text)
        draft.replace(tmp_path / "jwt.json")

    old = TokenKeys("a", {"a": b"1" * 32})
    replaced_by(old.written())
    file = KeyFile(tmp_path / "jwt.json")
    assert file.keys == old
    new = old.with_new("b", b"2" * 32)
    replaced_by(new.written())
    assert file.keys == new
    replaced_by("{")
    assert file.keys == new
    (tmp_path / "jwt.json").unlink()
    assert file.keys == new
    newest = new.with_new("c", b"3" * 32)
    replaced_by(newest.written())
    assert file.keys == newest
    replaced_by("{")
    with pytest.raises(KeysUnusable):
        KeyFile(tmp_path / "jwt.json")
    with pytest.raises(KeysUnusable):
        KeyFile(tmp_path / "nowhere.json")


@pytest.mark.parametrize("algorithm", ["none", "HS512"])
def test_a_token_does_not_choose_how_it_is_checked(algorithm: str) -> None:
    keys = TokenKeys("a", {"a": b"1" * 32})
    forged = jwt.encode(
        {"sub": "x", "exp": NOW + timedelta(days=1)},
        key="" if algorithm == "none" else b"1" * 64,
        algorithm=algorithm,
        headers={"kid": "a"},
    )
    with pytest.raises(TokenRefused):
        claims_of(forged, keys, now=NOW)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"current": "a", "keys": {"a": "AAAA"}}'])
def test_a_damaged_key_file_is_refused(text: str) -> None:
    with pytest.raises(KeysUnusable):
        TokenKeys.read(text)


def test_nobodys_password_costs_what_everybodys_does() -> None:
    assert not passwords.is_outdated(passwords.NOBODY)
    assert not passwords.matches(passwords.NOBODY, "")


async def test_an_unknown_address_costs_the_same_work_as_a_wrong_password(
    api: Api, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What takes the time is Argon2: as many hashes with the same parameters take as long.
    checked: list[tuple[str, str]] = []
    matches = passwords.matches

    def noted(hash_kept: str, password: str) -> bool:
        checked.append((hash_kept.rsplit("$", 2)[0], password))
        return matches(hash_kept, password)

    monkeypatch.setattr(passwords, "matches", noted)
    async with api.client() as client:
        for email in (ada.email, "nobody@example.org"):
            answer = await client.post(
                "/auth/login", json={"email": email, "password": "wrong password"}
            )
            assert answer.status_code == 401
    known, unknown = checked
    assert known == unknown
    assert known[0].startswith("$argon2id$v=19$m=65536,t=3,p=4")


async def test_an_address_written_differently_is_guessed_at_as_one(api: Api, ada: Person) -> None:
    async with api.client() as client:
        answers = [
            await client.post(
                "/auth/login",
                json={"email": " " * n + ada.email.replace("e", "E", n % 2), "password": f"{n}"},
            )
            for n in range(12)
        ]
    assert {answer.status_code for answer in answers[:5]} == {401}
    assert answers[-1].status_code == 429


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "unix", False),
    ],
)
def test_a_client_with_many_addresses_is_one_client(one: str, other: str, same: bool) -> None:
    def who(host: str) -> str:
        scope: Any = {"type": "http", "client": (host, 1), "headers": []}
        return client_of(ASGIConnection(scope))

    assert (who(one) == who(other)) is same


async def test_who_guesses_at_many_addresses_is_slowed_down_too(
    platform: Platform, seal_directory: Path
) -> None:
    async with (
        running_api(platform, seal_directory, client_sign_ins_per_minute=5) as api,
        api.client() as client,
    ):
        answers = [
            await client.post("/auth/login", json={"email": f"{n}@example.org", "password": "x"})
            for n in range(6)
        ]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


async def test_guessing_a_password_ends_in_429(api: Api, ada: Person) -> None:
    async with api.client() as client:
        answers = [
            await client.post("/auth/login", json={"email": ada.email, "password": f"guess {n}"})
            for n in range(12)
        ]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_passwords_are_hashed_some_at_a_time_and_after_all_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock, together = threading.Lock(), threading.Barrier(2)
    running, most, priorities = 0, 0, list[int]()

    def hashed(password: str) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            priorities.append(os.getpriority(os.PRIO_PROCESS, 0))
        together.wait(30)  # two are at work, or nobody comes on
        with lock:
            running -= 1
        return password

    monkeypatch.setattr(passwords, "hashed", hashed)
    async with open_hashing(at_once=2) as hashing:
        assert await asyncio.gather(*(hashing.hashed(f"{n}") for n in range(6))) == list("012345")
    assert most == 2
    if sys.platform == "linux":
        assert min(priorities) > os.getpriority(os.PRIO_PROCESS, 0)
