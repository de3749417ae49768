import os

import pytest

from infra.dev.home import SOCKET_BYTES, AlreadyUp, Home, Refused


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home", 8500, demo=True)
    home.make()
    return home


def test_a_home_is_closed_to_others(home):
    assert [path.stat().st_mode & 0o077 for path in (home.path, home.secrets, home.run)] == [
        0,
        0,
        0,
    ]


def test_a_home_that_was_there_keeps_its_mode(tmp_path):
    (tmp_path / "home").mkdir(mode=0o755)
    (tmp_path / "home").chmod(0o755)
    Home(tmp_path / "home", 8500, demo=True).make()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o755


def test_a_home_is_held_by_one(home):
    with home.held(), pytest.raises(AlreadyUp), home.held():
        pass
    with home.held():
        pass


def test_the_socket_of_a_deep_home_is_short_enough_to_bind_and_is_tidied_away(tmp_path):
    home = Home(tmp_path / ("deep" * 30), 8500, demo=True)
    home.make()
    home.started()
    assert len(os.fsencode(home.socket)) <= SOCKET_BYTES
    assert home.socket.parent.stat().st_mode & 0o077 == 0
    home.ended()
    assert not home.socket.parent.exists() or home.socket.parent == home.run
    assert list(home.run.iterdir()) == []


def test_another_shell_learns_the_port_from_the_home(home):
    Home(home.path, 9000, demo=False).started()
    assert home.as_started() == Home(home.path, 9000, demo=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTBUS_PORT", "mail"),
        ("POSTBUS_PORT", "80"),
        ("POSTBUS_PORT", "65535"),
        ("POSTBUS_DEMO", "?"),
        ("POSTBUS_WEBMAIL", "no"),
    ],
)
def test_a_setting_that_cannot_be_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(Refused, match=f"{name}="):
        Home.of_environment()
