import json

import pytest

from infra.dev import secrets
from infra.dev.home import Home


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home", 8500, demo=True)
    home.make()
    return home


def test_secrets_are_for_their_owner_alone(home):
    secrets.make(home)
    private = [
        path for path in home.secrets.rglob("*") if path.is_file() and path.suffix != ".public"
    ]
    assert private
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_secrets_are_made_once(home):
    made = secrets.make(home)
    before = {path: path.read_bytes() for path in home.secrets.rglob("*") if path.is_file()}
    assert secrets.make(home) == made
    assert {path: path.read_bytes() for path in home.secrets.rglob("*") if path.is_file()} == before


def test_a_password_that_a_new_release_needs_is_added_and_the_others_stay(home):
    made = secrets.make(home)
    path = home.secrets / "passwords.json"
    path.write_text(json.dumps({"postgres": made.passwords["postgres"]}))
    again = secrets.make(home)
    assert again.passwords["postgres"] == made.passwords["postgres"]
    assert again.passwords["bus_admin"] != made.passwords["bus_admin"]


def test_the_api_gets_no_private_key(home):
    made = secrets.make(home)
    assert {path.suffix for path in made.public_seal_keys.rglob("*") if path.is_file()} == {
        ".public"
    }
