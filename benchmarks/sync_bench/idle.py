"""What it costs to follow accounts in which nothing happens."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import memory_kilobytes
from benchmarks.say import say
from benchmarks.sync_bench.platform import Platform, until
from benchmarks.sync_bench.waiting import by_lmtp, told_of
from tests.servers.dovecot import Dovecot

AT_ONCE = 8
SETTLE_SECONDS = 15.0
WATCHED_SECONDS = 200.0  # longer than any account is left alone: each is looked at in it
LETTERS = 20
PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class Idle:
    """So many accounts on one replica."""

    accounts: int
    kilobytes: int  # of sync's listening process and its children
    core: dict[str, float]  # share of a core, by process
    connected_per_second: float
    new_mail_p50_milliseconds: float

    def show(self) -> None:
        busiest = sorted(
            (each for each in self.core.items() if each[0] != "others"), key=lambda each: -each[1]
        )[:6]
        say(
            f"{self.accounts:6,} accounts: {self.kilobytes / 1024:7.1f} MB, "
            f"{self.core['sync-listen']:.1%} of a core; live {self.connected_per_second:,.0f}/s; "
            f"new mail p50 {self.new_mail_p50_milliseconds:.0f} ms; "
            + ", ".join(f"{name} {share:.1%}" for name, share in busiest)
        )


async def idle(platform: Platform, dovecot: Dovecot, steps: list[int]) -> dict[str, float]:
    """Connect more and more accounts, and watch the process that follows them."""
    watched = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    if watched < steps[-1]:
        say(f"the kernel lets Dovecot watch {watched} mailboxes; the others it looks at by itself")
    users = [dovecot.new_user("idle") for _ in range(steps[-1])]
    seen: list[Idle] = []
    connected = 0
    for step in steps:
        began = time.monotonic()
        await _connect(platform, dovecot, users[connected:step])

        async def all_live(step: int = step) -> bool:
            return (
                await platform.number("SELECT count(*) FROM api.account WHERE state = 'live'")
                == step
            )

        live = await until(all_live, seconds=PATIENCE_SECONDS, every=0.2)
        rate = (step - connected) / (live - began)
        connected = step
        await asyncio.sleep(SETTLE_SECONDS)
        before, since = await platform.processor(dovecot), time.monotonic()
        await asyncio.sleep(WATCHED_SECONDS)
        used = (await platform.processor(dovecot)).since(before)
        seconds = time.monotonic() - since
        kilobytes = memory_kilobytes(platform.pids["sync-listen"])
        # To the first of them: the later ones Dovecot watches slowly, see below.
        waited, _ = await told_of(platform, by_lmtp(dovecot, users[0]), LETTERS)
        core = {name: spent / seconds for name, spent in used.items()}
        seen.append(Idle(step, kilobytes, core, rate, waited.at(0.5)))
        seen[-1].show()
    first, last = seen[0], seen[-1]
    return {
        "idle_account_kilobytes": round(
            (last.kilobytes - first.kilobytes) / max(last.accounts - first.accounts, 1), 1
        ),
        "idle_accounts": last.accounts,
        "idle_megabytes": round(last.kilobytes / 1024, 1),
        "idle_core_percent": round(last.core["sync-listen"] * 100, 2),
        "accounts_live_per_second": round(last.connected_per_second, 1),
    }


async def _connect(platform: Platform, dovecot: Dovecot, users: list[str]) -> None:
    doors = asyncio.Semaphore(AT_ONCE)

    async def one(user: str) -> None:
        async with doors:
            await platform.connect(dovecot.imap_port, user)

    await asyncio.gather(*(one(user) for user in users))
