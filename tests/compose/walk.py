"""What must hold of the running stack, in the order in which it is looked at."""

import imaplib
import json
import os
import shutil
import smtplib
import ssl
import subprocess
import sys
import time

from tests.compose.registry import a_registry
from tests.compose.stack import Stack, kill_main_process, until

PASSWORD = "correct horse battery"
ADA = "ada@example.org"
ALL = tuple(f"--profile={name}" for name in ("mail", "mail-admin", "restore"))
# What an image stands on, and how large that is where it is published; a stand-in is larger.
BASES = {
    "backup": ("postgres:18", 456e6),
    "nginx": ("debian:12-slim", 75e6),
    "mail": ("debian:12-slim", 75e6),
    "": ("python:3.13-slim", 125e6),
}
_session: dict[str, str] = {}


def everything_is_well(stack: Stack) -> None:
    for service, container in stack.containers().items():
        until(lambda service=service: stack.is_well(service))
        assert container["HostConfig"]["ReadonlyRootfs"] is True, service
        assert container["HostConfig"]["CapDrop"] == ["ALL"], service
        assert container["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"], service
        assert container["HostConfig"]["Memory"] > 0, service
        assert container["HostConfig"]["LogConfig"]["Config"]["max-size"] == "20m", service
    inspected = json.dumps(list(stack.containers().values()))
    for secret in (stack.tree / "secrets").iterdir():
        assert secret.read_text() not in inspected, f"{secret.name} is shown by docker inspect"


def the_door_speaks_tls_and_shows_the_webmail(stack: Stack) -> None:
    with stack.client() as asking:
        page = asking.get(stack.url, headers={"Accept": "text/html"})
        assert page.text.startswith("<!doctype html>")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        script = page.text.partition('src="/assets/')[2].partition('"')[0]
        assert "immutable" in asking.get(f"{stack.url}/assets/{script}").headers["cache-control"]
        moved = asking.get(f"http://localhost:{stack.ports['HTTP']}/mail")
        assert (moved.status_code, moved.headers["location"]) == (308, f"{stack.url}/mail")


def no_port_but_the_intended_ones_answers(stack: Stack) -> None:
    published = {
        binding["HostPort"]
        for container in stack.containers().values()
        for bindings in container["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    }
    assert published == {str(port) for port in stack.ports.values()}
    # From a network that is not the inner one nobody reaches database or bus, whatever the port.
    inner = stack.containers()["postgres"]["NetworkSettings"]["Networks"]
    assert {name.rpartition("_")[2] for name in inner} == {"inside"}
    address = next(iter(inner.values()))["IPAddress"]
    tried = subprocess.run(
        [
            *("docker", "compose", "exec", "--no-TTY", "postfix"),
            *("timeout", "5", "/usr/share/postbus/mail/greets", address, "5432", "x"),
        ],
        cwd=stack.tree,
        capture_output=True,
        check=False,
        timeout=180,
    )
    assert tried.returncode != 0
    # And from within it nobody reaches the world.
    out = "import socket; socket.create_connection(('1.1.1.1', 443), timeout=5)"
    gone = subprocess.run(
        ["docker", "compose", "exec", "--no-TTY", "indexer", "python", "-c", out],
        cwd=stack.tree,
        capture_output=True,
        check=False,
    )
    assert gone.returncode != 0


def database_and_bus_are_spoken_to_over_tls_only(stack: Stack) -> None:
    asked = "SELECT count(*) FILTER (WHERE NOT ssl), count(*) FROM pg_stat_ssl JOIN"
    asked += " pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL"
    told = stack.compose("exec", "--no-TTY", "postgres", "psql", "-tAc", asked, "postgres").strip()
    plain, all_of_them = map(int, told.split("|"))
    assert plain == 0
    assert all_of_them > 4
    counted = "SELECT count(*) > 0 AND NOT bool_or(query ~* 'role .* password') FROM"
    counted += " pg_stat_statements"
    seen = stack.compose("exec", "--no-TTY", "postgres", "psql", "-tAc", counted, "postbus").strip()
    assert seen == "t"
    plain_try = (
        "import asyncio, asyncpg\n"
        "asyncio.run(asyncpg.connect('postgresql://api:x@postgres/postbus?sslmode=disable'))"
    )
    refused = subprocess.run(
        ["docker", "compose", "exec", "--no-TTY", "api", "python", "-c", plain_try],
        cwd=stack.tree,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no encryption" in refused.stderr


def somebody_registers_and_connects_a_mailbox_of_the_stacks_own(stack: Stack) -> None:
    admin = ("--profile", "mail-admin", "run", "--rm", "--no-TTY", "mail-admin")
    stack.compose(*admin, "domain-add", "example.org")
    stack.compose(*admin, "user-add", ADA, told=PASSWORD)
    with stack.client() as asking:
        registered = asking.post(
            "/auth/register", json={"email": "me@example.org", "password": PASSWORD}
        )
        assert registered.status_code == 201, registered.text
        _session["token"] = registered.json()["access_token"]
    server = {"username": ADA, "password": PASSWORD, "verify_certificate": False}
    with stack.client(_session["token"]) as asking:
        made = asking.post(
            "/accounts",
            json={
                "name": "Ada",
                "email": ADA,
                "imap": {
                    **server,
                    "host": "imap.mail.postbus.test",
                    "port": 993,
                    "security": "tls",
                },
                "smtp": {
                    **server,
                    "host": "mail.postbus.test",
                    "port": 587,
                    "security": "starttls",
                },
            },
        )
        assert made.status_code == 201, made.text
        _session["account"] = made.json()["id"]
        until(lambda: account(stack)["state"] == "live")


def account(stack: Stack) -> dict[str, str]:
    with stack.client(_session["token"]) as asking:
        return asking.get(f"/accounts/{_session['account']}").json()


def mail_comes_in_is_found_and_is_answered(stack: Stack) -> None:
    with smtplib.SMTP("localhost", stack.ports["SMTP"], timeout=60) as connection:
        connection.sendmail(
            "grace@elsewhere.example",
            [ADA],
            "From: grace@elsewhere.example\r\nTo: ada@example.org\r\n"
            "Subject: A brimborion\r\n\r\nFrom the world.\r\n",
        )
    with stack.client(_session["token"]) as asking:
        until(lambda: bool(asking.get("/search?q=brimborion").json()["items"]))
        found = asking.get("/search?q=brimborion").json()["items"][0]
        sent = asking.post(
            "/submissions",
            json={
                "account_id": _session["account"],
                "to": [ADA],
                "subject": "By the stack",
                "text": "It works.",
            },
        )
        assert sent.status_code in (201, 202), sent.text
        submission = sent.json()["id"]
        until(lambda: asking.get(f"/submissions/{submission}").json()["state"] == "accepted")
        until(lambda: bool(asking.get("/search?q=subject:stack").json()["items"]))
        assert found
    message = in_the_mailbox(stack, "By the stack")
    assert b"DKIM-Signature:" in message
    assert b"d=example.org" in message


def in_the_mailbox(stack: Stack, subject: str) -> bytes:
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    with imaplib.IMAP4_SSL(
        "localhost", stack.ports["IMAPS"], ssl_context=unverified, timeout=60
    ) as connection:
        connection.login(ADA, PASSWORD)
        connection.select("INBOX", readonly=True)
        number = connection.search(None, "SUBJECT", f'"{subject}"')[1][0].split()[0]
        part = connection.fetch(number.decode(), "(BODY.PEEK[])")[1][0]
        assert isinstance(part, tuple)
        return part[1]


def an_event_is_told_through_the_door_when_it_happens(stack: Stack) -> None:
    with (
        stack.client(_session["token"]) as asking,
        asking.stream("GET", "/events", headers={"Accept": "text/event-stream"}) as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        with smtplib.SMTP("localhost", stack.ports["SMTP"], timeout=60) as connection:
            connection.sendmail("x@elsewhere.example", [ADA], "Subject: Now\r\n\r\n.\r\n")
        assert any(line == "event: message.received" for line in lines)


def the_gateway_is_told_who_asks(stack: Stack) -> None:
    with stack.client() as asking:
        asking.get("/accounts", headers={"X-Forwarded-For": "203.0.113.9"})
    gateway = stack.containers()["nginx"]["NetworkSettings"]["Networks"]
    bridge = next(net for name, net in gateway.items() if name.endswith("front"))["Gateway"]
    until(lambda: f'"client":"{bridge}"' in log_of(stack, "api"))
    assert "203.0.113.9" not in log_of(stack, "api")


def log_of(stack: Stack, service: str) -> str:
    return stack.compose("logs", "--no-log-prefix", "--tail", "200", service).replace('": ', '":')


def nginx_gives_each_gateway_its_share(stack: Stack) -> None:
    stack.run("infra/scripts/scale", "api", "2")
    with stack.client(_session["token"]) as asking:

        def both() -> bool:
            for _ in range(10):
                assert asking.get("/me").status_code == 200
            lines = log_of(stack, "nginx").splitlines()
            told = [json.loads(line) for line in lines if line.startswith("{")]
            return len({line["upstream"] for line in told if line["path"] == "/api/v1/me"}) == 2

        until(both)
    stack.run("infra/scripts/scale", "api", "1")
    until(lambda: stack.is_well("api"))


def any_service_may_have_several_processes(stack: Stack) -> None:
    services = ("sync-listen", "sync-answer", "sender", "indexer")
    for service in services:
        stack.run("infra/scripts/scale", service, "2")
        assert len(stack.compose("ps", "--quiet", service).split()) == 2
    subject = f"among several {time.time_ns()}"
    body = {"account_id": _session["account"], "to": [ADA], "subject": subject, "text": "Once."}
    with stack.client(_session["token"]) as asking:
        sent = asking.post("/submissions", json=body)
        assert sent.status_code in (201, 202), sent.text
        submission = sent.json()["id"]
        until(lambda: asking.get(f"/submissions/{submission}").json()["state"] == "accepted")
        words = {"q": f'"{subject}" in:inbox'}
        until(lambda: bool(asking.get("/search", params=words).json().get("items")))
        assert len(asking.get("/search", params=words).json()["items"]) == 1
    for service in services:
        stack.run("infra/scripts/scale", service, "1")


def new_secrets_of_each_kind_lose_nothing(stack: Stack) -> None:
    for what in ("jwt", "mail-keys", "nats", "database"):
        before = {path.name: path.read_bytes() for path in (stack.tree / "secrets").iterdir()}
        stack.run("infra/scripts/rotate", what)
        after = {path.name: path.read_bytes() for path in (stack.tree / "secrets").iterdir()}
        changed = {name for name in before if before[name] != after[name]}
        expected = {
            "nats": {name for name in before if name.startswith("nats_")},
            "database": {name for name in before if "database" in name} | {"postgres_password"},
        }
        assert changed == expected.get(what, set()), what
        with stack.client(_session["token"]) as asking:
            until(lambda asking=asking: asking.get("/me").status_code == 200)
        until(lambda: account(stack)["state"] == "live")


def each_container_heals_when_its_main_process_is_killed(stack: Stack) -> None:
    for service, container in stack.containers().items():
        kill_main_process(container)
        started = container["State"]["StartedAt"]
        until(lambda s=service, at=started: stack.containers()[s]["State"]["StartedAt"] != at)
        until(lambda service=service: stack.is_well(service))
        with stack.client(_session["token"]) as asking:
            until(lambda asking=asking: asking.get("/me").status_code == 200)
    subject = f"after all that {time.time_ns()}"
    until(lambda: takes(stack, subject))
    with stack.client(_session["token"]) as asking:
        words = f'"{subject}"'
        until(lambda: bool(asking.get("/search", params={"q": words}).json().get("items")))


def images_are_small(stack: Stack) -> None:
    names = stack.compose("--profile", "mail", "config", "--images").split()
    for name in sorted({name for name in names if "postbus-" in name}):
        base, published = next(of for part, of in BASES.items() if part in name)
        added = _size(stack, name) - _size(stack, base)
        print(f"  {name}: {(published + added) / 1e6:.0f} MB, of which {added / 1e6:.0f} are ours")
        # It lies on PostgreSQL's image, which is on the machine anyway.
        assert added + (0 if base == "postgres:18" else published) < 300e6, name


def _size(stack: Stack, image: str) -> int:
    return int(stack.run("docker", "image", "inspect", "--format", "{{.Size}}", image))


def images_are_pinned_by_what_the_machine_has(stack: Stack) -> None:
    with a_registry() as registry:
        image = f"{registry}/nats:1"
        an_empty_tar = "\0" * 1024
        stack.run("docker", "import", "-", image, told=an_empty_tar)
        try:
            stack.run("docker", "push", "--quiet", image)
            told = stack.run("docker", "image", "inspect", "--format", "{{.RepoDigests}}", image)
            override = stack.tree / "compose.other.yaml"
            override.write_text(f"services: {{ nats: {{ image: '{image}' }} }}\n")
            files = f"COMPOSE_FILE={os.environ['COMPOSE_FILE']}:compose.other.yaml"
            stack.run("env", files, "infra/scripts/images", "pin")
            shown = stack.run(
                *("env", f"{files}:compose.pins.yaml", "docker", "compose"),
                *("config", "--images", "nats"),
            )
            (pinned,) = [one for one in shown.split() if one.startswith(f"{image}@sha256:")]
            assert pinned.replace(":1@", "@") in told
            assert "postbus-" not in (stack.tree / "compose.pins.yaml").read_text()
        finally:
            stack.run("docker", "image", "rm", image)


def a_backup_is_made_by_itself_once_there_is_a_recovery_key(stack: Stack) -> None:
    assert "waiting for a recovery key" in stack.compose("logs", "backup")
    said = stack.compose("run", "--rm", "--no-TTY", "--no-deps", "backup", "recovery-key")
    _session["key"] = next(one for one in said.split() if one.startswith("AGE-SECRET-KEY-1"))
    until(lambda: "bytes" in _backup(stack, "list"))
    assert "is whole" in _backup(stack, "verify", "--key", "-", told=_session["key"])
    shown = _in_backup(stack, "cat", "/state/recovery-key.pub")
    assert _session["key"] not in shown
    assert "postbus_backup_sets 1.0" in _metrics(stack)


def an_operator_is_told_how_all_of_it_does(stack: Stack) -> None:
    for asked, expected in (
        ("check", ("Every service can read its settings.", "Every image is on this machine.")),
        (
            "health",
            (
                *("containers that are as they should be: ", "accounts: ", "postbus-test-api-1 "),
                *(f"the certificate of {name} is good for 39" for name in ("postgres", "nats")),
            ),
        ),
    ):
        told = subprocess.run(
            [sys.executable, "-m", f"infra.stack.{asked}", "--profile", "mail"],
            cwd=stack.tree,
            capture_output=True,
            text=True,
            check=False,
        )
        for one in expected:
            assert one in told.stdout, told.stdout + told.stderr
        assert "postbus-test-" not in "".join(
            line for line in told.stdout.splitlines() if line.startswith("✗")
        ), told.stdout
    assert stack.run("infra/scripts/stack", "tenants")
    stack.run("infra/scripts/stack", "dead-letters")
    assert stack.compose("exec", "--no-TTY", "postfix", "postqueue", "-p")


def _metrics(stack: Stack) -> str:
    asked = "import urllib.request; print(urllib.request.urlopen('http://backup:8500/metrics')"
    return stack.compose(*("exec", "--no-TTY", "api", "python", "-c", f"{asked}.read().decode())"))


def _backup(stack: Stack, *command: str, told: str = "") -> str:
    return _in_backup(stack, "python", "-m", "infra.backup", *command, told=told)


def _in_backup(stack: Stack, *command: str, told: str = "") -> str:
    return stack.compose("exec", "--no-TTY", "backup", *command, told=told)


def what_comes_after_the_set_is_in_the_wal(stack: Stack) -> None:
    late = {"email": "late@example.org", "password": PASSWORD}
    with stack.client() as asking:
        until(lambda: asking.post("/auth/register", json=late).status_code == 201)
    written = _sql(stack, "SELECT pg_current_wal_flush_lsn()")
    received = f"SELECT bool_or(write_lsn >= '{written}') FROM pg_stat_replication"
    until(lambda: _sql(stack, received) == "t")
    now = _in_backup(stack, "date", "+%s.%N").strip()
    newer = ("find", "/backups/wal", "-name", "*.age", "-newermt", f"@{now}")
    # What is received is sealed once something more came, too.
    _sql(stack, "SELECT pg_switch_wal()")
    until(lambda: bool(_in_backup(stack, *newer).strip()))


def _sql(stack: Stack, statement: str) -> str:
    psql = ("exec", "--no-TTY", "postgres", "psql", "-tAc", statement, "postgres")
    return stack.compose(*psql).strip()


def all_of_it_comes_back_when_everything_but_the_backups_is_lost(stack: Stack) -> None:
    stack.compose(*ALL, "down", "--timeout", "10")
    mine = "label=com.docker.compose.project=postbus-test"
    names = stack.run("docker", "volume", "ls", "--quiet", "--filter", mine).split()
    stack.run("docker", "volume", "rm", *(one for one in names if not one.endswith("_backups")))
    secrets = {path.name: path.read_text() for path in (stack.tree / "secrets").iterdir()}
    shutil.rmtree(stack.tree / "secrets")
    (stack.tree / ".env").unlink(missing_ok=True)
    stack.run("infra/scripts/restore-stack", "-", told=_session["key"])
    assert secrets == {path.name: path.read_text() for path in (stack.tree / "secrets").iterdir()}
    began = time.monotonic()
    stack.compose("--profile", "mail", "up", "--detach", "--wait", "--wait-timeout", "300")
    print(f"  serves again after {time.monotonic() - began:.0f} s", flush=True)
    everything_is_well(stack)
    # Who came after the set was in the WAL.
    for email in ("late@example.org", "me@example.org"):
        until(lambda email=email: signs_in(stack, email))
    until(lambda: account(stack)["state"] == "live")
    # The stack's own mail store is as it was when the set was made.
    assert b"DKIM-Signature:" in in_the_mailbox(stack, "By the stack")
    with stack.client(_session["token"]) as asking:
        until(lambda: bool(asking.get("/search?q=subject:stack").json().get("items")))
    until(lambda: takes(stack, "and on it goes"))
    with stack.client(_session["token"]) as asking:
        until(lambda: bool(asking.get('/search?q="on it goes"').json().get("items")))


def signs_in(stack: Stack, email: str) -> bool:
    with stack.client() as asking:
        answer = asking.post("/auth/login", json={"email": email, "password": PASSWORD})
    if answer.status_code == 200:
        _session["token"] = answer.json()["access_token"]
    return answer.status_code == 200


def takes(stack: Stack, subject: str) -> bool:
    try:
        with smtplib.SMTP("localhost", stack.ports["SMTP"], timeout=60) as connection:
            connection.sendmail("x@elsewhere.example", [ADA], f"Subject: {subject}\r\n\r\n.\r\n")
    except (TimeoutError, OSError, smtplib.SMTPException):
        return False
    return True


WALK = (
    everything_is_well,
    the_door_speaks_tls_and_shows_the_webmail,
    no_port_but_the_intended_ones_answers,
    database_and_bus_are_spoken_to_over_tls_only,
    somebody_registers_and_connects_a_mailbox_of_the_stacks_own,
    mail_comes_in_is_found_and_is_answered,
    an_event_is_told_through_the_door_when_it_happens,
    the_gateway_is_told_who_asks,
    nginx_gives_each_gateway_its_share,
    any_service_may_have_several_processes,
    new_secrets_of_each_kind_lose_nothing,
    images_are_small,
    images_are_pinned_by_what_the_machine_has,
    a_backup_is_made_by_itself_once_there_is_a_recovery_key,
    an_operator_is_told_how_all_of_it_does,
    each_container_heals_when_its_main_process_is_killed,
    what_comes_after_the_set_is_in_the_wal,
    all_of_it_comes_back_when_everything_but_the_backups_is_lost,
)
