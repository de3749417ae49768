"""`python -m infra.stack.health`: how the stack does, and what somebody should look at.

Words that are given go to Docker Compose (`--profile mail`).
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.dev.health import Seen, errors_in, judged, seen
from infra.dev.startup_check import Finding, show
from infra.stack.check import ROOT, Unreadable, ask

_GIB = 1024**3
# Asked of a container that reaches all of them; a name leads to the addresses of all its replicas.
_PAGES = """
import json, socket, urllib.request
pages = {}
for name, port in %s.items():
    try:
        found = socket.getaddrinfo(name, port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        continue
    for address in sorted({one[4][0] for one in found}):
        try:
            with urllib.request.urlopen(f"http://{address}:{port}/metrics", timeout=5) as page:
                pages[f"{name} {address}"] = page.read().decode()
        except OSError:
            pages[f"{name} {address}"] = ""
print(json.dumps(pages))
"""
# Until when the certificates between the containers are good: each server speaks some words of its
# own before TLS.
_CERTIFICATES = """
import json, socket, ssl, time
trust = ssl.create_default_context(cafile=%(trust)r)
days = {}
for name, (host, port) in %(servers)r.items():
    try:
        with socket.create_connection((host, port), timeout=5) as plain:
            if name == "postgres":
                plain.sendall(bytes.fromhex("0000000804d2162f"))
            heard = plain.recv(1)
            while name == "nats" and heard and not heard.endswith(b"\\n"):
                heard += plain.recv(1)
            with trust.wrap_socket(plain, server_hostname=host) as sealed:
                until = ssl.cert_time_to_seconds(sealed.getpeercert()["notAfter"])
                days[name] = (until - time.time()) / 86400
    except OSError as error:
        days[name] = str(error)
print(json.dumps(days))
"""
SERVERS = {"postgres": ("postgres", 5432), "nats": ("nats", 4222)}
PORTS = {
    "api": 8501,
    **dict.fromkeys(("sync-listen", "sync-answer", "sender", "indexer", "backup"), 8500),
    "postfix-exporter": 9154,
}


def look(clone: Path, words: list[str]) -> Iterator[Finding]:
    """Every finding, as far as one can look."""
    try:
        config = json.loads(ask("compose", *words, "config", "--format", "json", clone=clone))
        told = ask("compose", *words, "ps", "--all", "--format", "json", clone=clone)
    except Unreadable as error:
        yield Finding("wrong", f"Docker Compose does not answer: {error}")
        return
    containers = [json.loads(line) for line in told.splitlines() if line.strip()]
    yield from standing(config["services"], containers)
    try:
        asked = ("exec", "--no-TTY", "api", "python", "-c", _PAGES % PORTS)
        pages: dict[str, str] = json.loads(ask("compose", *asked, clone=clone))
    except Unreadable as error:
        yield Finding("wrong", f"The api cannot be asked how all do: {error}")
        pages = {}
    else:
        yield from _certificates(clone, {n: SERVERS[n] for n in SERVERS if n in config["services"]})
    for name in (name for name, page in pages.items() if not page):
        yield Finding("wrong", f"{name} does not answer")
    values = seen(pages.values())
    if values:
        yield from judged(values)
    yield from queued(values)
    try:
        yield from _disk(clone)
        yield from _errors(clone, {one["Service"] for one in containers} & PORTS.keys())
        yield from _resources(clone, [one["ID"] for one in containers if one["State"] == "running"])
    except Unreadable as error:
        yield Finding("wrong", f"Docker does not answer: {error}")


def standing(
    expected: Mapping[str, Mapping[str, Any]], containers: list[dict[str, Any]]
) -> Iterator[Finding]:
    """Whether what is to run runs and is well, and whether the steps of the deploy ended well."""
    well = 0
    for name, container in expected.items():
        of_it = [one for one in containers if one["Service"] == name]
        step = container.get("restart") == "no"
        if not of_it:
            yield Finding("wrong", f"{name} is not there: docker compose up --detach --wait")
        for one in of_it:
            state, health = one["State"], one.get("Health") or "healthy"
            done = step and state == "exited" and one.get("ExitCode") == 0
            if done or (not step and state == "running" and health == "healthy"):
                well += 1
            else:
                ended = f", code {one.get('ExitCode')}" if state == "exited" else ""
                shown = state if health == "healthy" else f"{state}, {health}"
                starts = step and state == "running"
                yield Finding("look" if starts else "wrong", f"{one['Name']} is {shown}{ended}")
    yield Finding("ok", f"containers that are as they should be: {well}")


def asking_for_certificates(servers: Mapping[str, tuple[str, int]], trust: str) -> str:
    """A program that tells for how many days each server's is good, or what is wrong with it."""
    return _CERTIFICATES % {"servers": dict(servers), "trust": trust}


def _certificates(clone: Path, servers: Mapping[str, tuple[str, int]]) -> Iterator[Finding]:
    program = asking_for_certificates(servers, "/certs/ca.crt")
    asked = ("compose", "exec", "--no-TTY", "api", "python", "-c", program)
    try:
        told = json.loads(ask(*asked, clone=clone))
    except Unreadable as error:
        yield Finding("wrong", f"Certificates cannot be asked for: {error}")
        return
    yield from lasting(told)


def lasting(told: Mapping[str, float | str]) -> Iterator[Finding]:
    """For how long certificates are good: a deploy issues those anew that end within 130 days."""
    for name, days in told.items():
        if isinstance(days, str):
            yield Finding("wrong", f"the certificate of {name} is not good: {days}")
            continue
        anew = ": ./just certs, then docker compose restart postgres nats" if days < 60 else ""
        how = "wrong" if days < 14 else "look" if anew else "ok"
        yield Finding(how, f"the certificate of {name} is good for {days:.0f} days{anew}")


def queued(values: Seen) -> Iterator[Finding]:
    """What waits in Postfix's queue, where there is one."""
    queues = values.get("postbus_postfix_queue_messages")
    if queues is not None:
        deferred = queues.get("deferred", 0)
        says = f"mail in Postfix's queue: {sum(queues.values()):.0f}, deferred: {deferred:.0f}"
        yield Finding("look" if deferred else "ok", says)


def _disk(clone: Path) -> Iterator[Finding]:
    place = Path(ask("info", "--format", "{{.DockerRootDir}}", clone=clone).strip())
    if place.exists():
        usage = shutil.disk_usage(place)
        left = usage.free / usage.total
        says = f"disk: {usage.free / _GIB:.1f} GiB ({left:.0%}) are free ({place})"
        yield Finding("wrong" if left < 0.05 else "look" if left < 0.15 else "ok", says)


def _errors(clone: Path, services: set[str]) -> Iterator[Finding]:
    none = True
    for name in sorted(services):
        said = ask("compose", "logs", "--since", "1h", "--no-log-prefix", name, clone=clone)
        if lines := errors_in(said):
            none = False
            says = f"{name}: {len(lines)} errors in an hour; the last: {lines[-1]}"
            yield Finding("look", says)
    if none:
        yield Finding("ok", "no errors in the logs of the last hour")


def _resources(clone: Path, ids: list[str]) -> Iterator[Finding]:
    if ids:
        form = "{{.Name}} {{.CPUPerc}}, {{.MemUsage}}"
        for line in ask("stats", "--no-stream", "--format", form, *ids, clone=clone).splitlines():
            yield Finding("ok", line)


def main() -> int:
    return show(look(ROOT, sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
