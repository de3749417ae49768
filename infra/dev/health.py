"""`health`: how the platform that runs here does, and what somebody should look at."""

import asyncio
import json
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.text import Text

from infra.dev import programs
from infra.dev.home import Home
from infra.dev.startup_check import Finding
from infra.dev.status import status

_GIB = 1024**3
_MIB = 1024**2
_RECENT_BYTES = 512 * 1024
_RECENT_SECONDS = 3600.0
_PROBES = {
    "api": programs.API_PROBES,
    "sync-listen": programs.LISTEN,
    "sync-answer": programs.ANSWER,
    "sender": programs.SENDER,
    "indexer": programs.INDEXER,
    "backup": programs.BACKUP,
}
# The largest value of a metric over all processes, by one label's value ("" where it has none).
Seen = Mapping[str, Mapping[str, float]]


def health(home: Home) -> int:
    """Show processes and findings; 1 when a process is down or a finding wants somebody."""
    home = home.as_started()
    down = status(home)
    console = Console(highlight=False, soft_wrap=True)
    pages = asyncio.run(_metrics(home))
    findings = [*judged(seen(pages.values())), *_disk(home), *_errors(home)]
    for finding in findings:
        sign, colour = {"ok": ("✓", "green"), "look": ("!", "yellow"), "wrong": ("✗", "red")}[
            finding.how
        ]
        console.print(Text.assemble((f"{sign} ", colour), finding.says))
    memory = {name: _memory(page) / _MIB for name, page in pages.items()}
    console.print("memory: " + ", ".join(f"{name} {mib:.0f} MiB" for name, mib in memory.items()))
    return 1 if down or any(finding.how == "wrong" for finding in findings) else 0


async def _metrics(home: Home) -> dict[str, str]:
    names = sorted({program.name for program in programs.table(home)} & _PROBES.keys())
    pages = await asyncio.gather(
        *(asyncio.to_thread(_page, home.port + _PROBES[name]) for name in names)
    )
    return {name: page for name, page in zip(names, pages, strict=True) if page}


def _page(port: int) -> str:
    """What a process shows of itself; nothing where it does not answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    except (OSError, HTTPException):
        return ""
    finally:
        connection.close()


def seen(pages: Iterable[str]) -> Seen:
    """What the processes show of themselves, as the maximum over all of them."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for page in pages:
        for family in text_string_to_metric_families(page):
            if not family.name.startswith("postbus_"):
                continue
            for sample in family.samples:
                label = next(iter(sample.labels.values()), "")
                kept = found[sample.name]
                kept[label] = max(kept.get(label, sample.value), sample.value)
    return found


def judged(values: Seen, now: float | None = None) -> list[Finding]:
    """What the numbers mean for whoever operates this."""
    now = time.time() if now is None else now
    findings: list[Finding] = []

    def say(wrong: bool, text: str, *, look: bool = False) -> None:
        findings.append(Finding("wrong" if wrong else "look" if look else "ok", text))

    def largest(name: str) -> tuple[str, float]:
        return max(values.get(name, {}).items(), key=lambda one: one[1], default=("", 0.0))

    states = values.get("postbus_sync_account_states", {})
    ill = sum(states.get(state, 0) for state in ("auth_failed", "unreachable", "degraded"))
    say(
        False,
        "accounts: "
        + (", ".join(f"{count:.0f} {state}" for state, count in states.items() if count) or "none"),
        look=ill > 0,
    )
    who, oldest = largest("postbus_bus_outbox_oldest_seconds")
    say(oldest > 60, f"oldest fact that is not told: {oldest:.0f} s{f' ({who})' if who else ''}")
    who, waiting = largest("postbus_bus_consumer_pending_messages")
    say(False, f"most that waits for a consumer: {waiting:.0f} ({who})", look=waiting > 1000)
    for stream, most in values.get("postbus_bus_stream_max_bytes", {}).items():
        held = values.get("postbus_bus_stream_bytes", {}).get(stream, 0.0)
        if most and held / most > 0.5 and stream not in ("ATTACHMENTS", "KV_LIMITS", "DEAD"):
            say(held / most > 0.8, f"stream {stream} is {held / most:.0%} full", look=True)
    dead = values.get("postbus_bus_stream_messages", {}).get("DEAD", 0.0)
    say(False, f"dead letters: {dead:.0f}", look=dead > 0)
    queued = largest("postbus_sender_submissions_waiting")[1]
    doubt = largest("postbus_sender_submissions_uncertain")[1]
    say(False, f"mail to be sent: {queued:.0f}, uncertain: {doubt:.0f}", look=doubt > 0)
    unproven = largest("postbus_sync_unproven_messages")[1]
    say(False, f"messages that no proof accounts for: {unproven:.0f}", look=unproven > 0)
    made = values.get("postbus_backup_last_success_timestamp_seconds")
    if made is not None:
        age = now - max(made.values())
        say(age > 26 * 3600, f"the last good backup is {age / 3600:.1f} h old")
    return findings


def _disk(home: Home) -> list[Finding]:
    usage = shutil.disk_usage(home.path)
    left = usage.free / usage.total
    says = f"disk: {usage.free / _GIB:.1f} GiB ({left:.0%}) are free"
    return [Finding("wrong" if left < 0.05 else "look" if left < 0.15 else "ok", says)]


def _errors(home: Home) -> list[Finding]:
    findings: list[Finding] = []
    for program in programs.table(home):
        path = home.logs / f"{program.name}.log"
        if not path.exists() or time.time() - path.stat().st_mtime > _RECENT_SECONDS:
            continue
        if lines := errors_in(_end_of(path)):
            findings.append(
                Finding(
                    "look", f"{program.name}: {len(lines)} errors lately; the last: {lines[-1]}"
                )
            )
    return findings or [Finding("ok", "no errors in the logs lately")]


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _RECENT_BYTES))
        return file.read().decode(errors="replace")


def errors_in(text: str) -> list[str]:
    """What a log says went wrong, line by line, without what it says of whom."""
    found: list[str] = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # PostgreSQL and NATS write as they like; their ends show in `status`
        if isinstance(entry, dict) and entry.get("level") in ("error", "critical"):
            found.append(str(entry.get("event", "")))
    return found


def _memory(page: str) -> float:
    for family in text_string_to_metric_families(page):
        if family.name == "process_resident_memory_bytes":
            return family.samples[0].value
    return 0.0
