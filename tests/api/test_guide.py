"""The guide to the API says what is so: its tables are held against what runs."""

import re
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from services.api.domain.limits import Limit
from services.api.domain.rights import Role, Scope
from services.api.http.limits import TENANT, Policies
from services.api.settings import Settings
from tests.api.conftest import Api, Person, running_api

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "api.md").read_text("utf-8")
_EVERY = {60: "a minute", 3600: "an hour"}


@pytest.fixture
def defaults(seal_directory: Path) -> Settings:
    return Settings(
        database_url=SecretStr("postgresql://unused"),
        request_database_url=SecretStr("postgresql://unused"),
        bus_url=SecretStr("nats://unused"),
        jwt_keys_file=seal_directory / "jwt.json",
        seal_keys_dir=seal_directory,
        own_keys_dir=seal_directory,
    )


def rows(head: str) -> list[list[str]]:
    """The cells of the table whose first line begins so."""
    table = GUIDE.partition(f"\n| {head}")[2].partition("\n\n")[0].splitlines()[2:]
    assert table, head
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


async def test_the_claims_of_a_token_are_those_of_the_guide(ada: Person) -> None:
    said: dict[str, Any] = jwt.decode(
        ada.tokens["access_token"], options={"verify_signature": False}
    )
    assert {name for row in rows("claim") for name in names(row[0])} == set(said)
    assert said["iss"] == "postbus"
    assert said["sub"] == ada.tokens["user"]["id"]
    assert said["ten"] == ada.tokens["tenant"]["id"]
    head = jwt.get_unverified_header(ada.tokens["access_token"])
    assert (head["alg"], head["kid"]) == ("HS256", "k1")


def test_every_scope_and_role_is_in_the_guide() -> None:
    assert [name for row in rows("scope") for name in names(row[0])] == [*Scope]
    roles = GUIDE.partition("**Roles**")[2].partition("\n\n")[0]
    assert {*Role} <= set(names(roles))


def test_the_limits_are_those_that_hold_unless_told_otherwise(defaults: Settings) -> None:
    policies = Policies(defaults)
    told: set[str] = set()
    for what, most, setting in rows("limit"):
        name = names(what)[0]
        told.add(name)
        if name == TENANT:
            continue
        limit = policies[name]
        assert most == f"{limit.most} {_EVERY[limit.seconds]}", name
        (field,) = names(setting)
        assert getattr(defaults, field.removeprefix("API_").lower()) == limit.most, name
    known: dict[str, Limit] = policies._limits  # pyright: ignore[reportPrivateUsage]
    # What the page behind a connect link may ask follows from the tests of servers.
    assert told == {*known, TENANT} - {"connect"}


def test_lifetimes_and_settings_are_as_the_guide_says(defaults: Settings) -> None:
    for setting in re.findall(r"`API_([A-Z_]+)`", GUIDE):
        assert hasattr(defaults, setting.lower()), setting
    assert f"{defaults.access_token_minutes:g} minutes (`API_ACCESS_TOKEN_MINUTES`)" in GUIDE
    assert f"{defaults.refresh_token_days:g} days (`API_REFRESH_TOKEN_DAYS`)" in GUIDE
    assert f"`{defaults.tenant_header}`" in GUIDE
    one_line = " ".join(GUIDE.split())
    assert f"than the log keeps, {defaults.event_log_days:g} days" in one_line


async def test_how_long_tokens_are_good_is_the_operators_word(
    api: Api, seal_directory: Path
) -> None:
    async with (
        running_api(
            api.platform, seal_directory, access_token_minutes=90, refresh_token_days=2
        ) as other,
        other.person() as ada,
    ):
        assert ada.tokens["expires_in"] == 90 * 60
        said = jwt.decode(ada.tokens["access_token"], options={"verify_signature": False})
        assert said["exp"] - said["iat"] == 90 * 60
        (row,) = await other.rows("refresh_token", "expires_at")
        (session,) = await other.rows("session", "created_at")
        assert (row["expires_at"] - session["created_at"]).days in (1, 2)


async def test_the_guide_leads_somewhere_and_is_found_where_one_would_look(api: Api) -> None:
    for link in re.findall(r"\]\(([^)#]+)", GUIDE):
        assert (DOCS / link).exists(), link
    assert "(docs/api.md)" in (DOCS.parent / "README.md").read_text("utf-8")
    async with api.client() as client:
        root = str(client.base_url).removesuffix("/api/v1/")
        assert "docs/api.md" in (await client.get(root + "/docs")).text
        document = (await client.get("/openapi.json")).json()
    # Each path that the guide names is there.
    there = {path.removeprefix("/api/v1") for path in document["paths"]}
    shapes = {re.sub(r"\{\w+\}", "{id}", path) for path in there}
    for path in re.findall(r"`(?:GET|POST|DELETE|PATCH|PUT) (/[^`?]+)", GUIDE):
        assert re.sub(r"\{\w+\}", "{id}", path) in shapes, path
