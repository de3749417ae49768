"""What an operator is told before a start, and of what runs."""

import socket
from pathlib import Path

from infra.dev import secrets
from infra.dev.health import errors_in, judged, seen
from infra.dev.home import Home
from infra.dev.startup_check import LOOKS, available_memory_bytes, connections, startup_check


def findings(home: Home) -> dict[str, str]:
    return {finding.says: finding.how for look in LOOKS for finding in look(home)}


def a_home(path: Path, port: int = 0) -> Home:
    return Home(path / "home", port, demo=False)


def test_a_port_that_somebody_has_is_named(tmp_path: Path, capsys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert startup_check(a_home(tmp_path, port)) == 1
    assert f"{port} (api)" in capsys.readouterr().out


def test_a_secret_that_others_may_read_is_named(tmp_path: Path) -> None:
    home = a_home(tmp_path, 20000)
    home.make()
    secrets.make(home)
    assert not any("Others may read" in says for says in findings(home))
    (home.secrets / "passwords.json").chmod(0o644)
    assert any("passwords.json" in says and how == "wrong" for says, how in findings(home).items())


def test_settings_that_make_no_sense_are_named(tmp_path: Path, monkeypatch) -> None:
    home = a_home(tmp_path, 20000)
    home.make()
    secrets.make(home)
    assert any("Every service can read its settings" in says for says in findings(home))
    monkeypatch.setenv("SENDER_DATABASE_POOL_SIZE", "many")
    told = findings(home)
    assert any(
        "sender: the setting database_pool_size" in says for says in told if told[says] == "wrong"
    )


def test_pools_must_fit_into_what_postgresql_takes() -> None:
    pools = {"api": 20, "sync": 20}
    assert connections(pools, {"api": 1, "sync": 2}, 70).how == "ok"
    wrong = connections(pools, {"api": 1, "sync": 2}, 69)
    assert (wrong.how, "70 connections" in wrong.says) == ("wrong", True)


def test_memory_is_what_the_kernel_would_give() -> None:
    assert available_memory_bytes("MemTotal: 9 kB\nMemAvailable:    2048 kB\n") == 2048 * 1024
    assert available_memory_bytes("MemTotal: 9 kB\n") is None


PAGE = """
postbus_bus_stream_bytes{stream="MAIL"} 90
postbus_bus_stream_max_bytes{stream="MAIL"} 100
postbus_bus_stream_messages{stream="DEAD"} 2
postbus_bus_outbox_oldest_seconds{service="sync"} %s
postbus_sync_account_states{state="live"} 3
postbus_sync_account_states{state="unreachable"} 1
postbus_backup_last_success_timestamp_seconds 1000
"""


def test_health_says_what_somebody_should_look_at() -> None:
    pages = [PAGE % 90, PAGE % 5]
    told = {finding.says: finding.how for finding in judged(seen(pages), now=1000 + 30 * 3600)}
    assert told["stream MAIL is 90% full"] == "wrong"
    assert told["dead letters: 2"] == "look"
    assert told["oldest fact that is not told: 90 s (sync)"] == "wrong"
    assert told["accounts: 3 live, 1 unreachable"] == "look"
    assert told["the last good backup is 30.0 h old"] == "wrong"


def test_errors_are_counted_and_other_lines_are_not() -> None:
    log = """
{"level": "error", "event": "query failed"}
{"level": "info", "event": "served"}
LOG:  checkpoint starting
"""
    assert errors_in(log) == ["query failed"]
