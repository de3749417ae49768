"""From POST /accounts to every message listed, and to every message found."""

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import memory_peak
from benchmarks.say import say
from benchmarks.sync_bench.filled import Filled
from benchmarks.sync_bench.platform import Platform, sample, until, uuid_of
from benchmarks.sync_bench.profile import profiled
from tests.servers.dovecot import Dovecot

SEARCHES = 30
PAGE = 50
PATIENCE_SECONDS = 300.0
SLOWEST_PER_SECOND = 50  # a first sync that is slower is given up
PROFILED = {"sync": "sync-listen", "api": "api", "indexer": "indexer"}


@dataclass(frozen=True)
class FirstSync:
    """A first sync: seconds from the POST, and whose processor seconds they were."""

    account: str
    messages: int
    first_page_seconds: float
    listed_seconds: float
    searchable_seconds: float
    search_p50_milliseconds: float
    used_until_listed: dict[str, float]
    used_until_searchable: dict[str, float]
    peak_megabytes: float  # of sync and the process it reads in, together

    @property
    def listed_per_second(self) -> float:
        return self.messages / self.listed_seconds

    @property
    def searchable_per_second(self) -> float:
        return self.messages / self.searchable_seconds

    def show(self) -> None:
        say(
            f"{self.messages:,} messages: newest 50 listed after {self.first_page_seconds:.2f} s; "
            f"all listed after {self.listed_seconds:.2f} s ({self.listed_per_second:,.0f}/s), "
            f"searchable after {self.searchable_seconds:.2f} s "
            f"({self.searchable_per_second:,.0f}/s; a search {self.search_p50_milliseconds:.0f} ms)"
        )
        say(f"sync and the process it reads in took {self.peak_megabytes:.0f} MB of memory at most")
        say("where the time goes: processor seconds for 1,000 messages")
        say(f"{'':20}{'until listed':>14}{'until searchable':>18}")
        thousands = self.messages / 1000
        for name in sorted(
            self.used_until_searchable, key=lambda each: -self.used_until_searchable[each]
        ):
            listed = self.used_until_listed.get(name, 0.0)
            all_of_it = self.used_until_searchable[name]
            say(f"{name:20}{listed / thousands:14.3f}{all_of_it / thousands:18.3f}")
        listed, all_of_it = (self.processor_seconds_per_thousand(each) for each in self._both)
        cores = os.cpu_count() or 1
        say(f"{'without others':20}{listed:14.3f}{all_of_it:18.3f}")
        most, most_of_it = cores / listed * 1000, cores / all_of_it * 1000
        say(f"{'so, undisturbed,':20}{most:12,.0f}/s{most_of_it:16,.0f}/s at most on {cores} cores")

    @property
    def _both(self) -> tuple[dict[str, float], dict[str, float]]:
        return self.used_until_listed, self.used_until_searchable

    def processor_seconds_per_thousand(self, used: dict[str, float]) -> float:
        """Of the platform, its mail server and this benchmark, not of whoever else runs here."""
        ours = sum(seconds for name, seconds in used.items() if name != "others")
        return ours / self.messages * 1000


async def first_sync(
    platform: Platform,
    dovecot: Dovecot,
    filled: Filled,
    *,
    imap_port: int | None = None,
    profile: Path | None = None,
) -> FirstSync:
    """Connect the user's account and watch their mail arrive.

    Counting is the cheapest of looks, so that who looks does not slow what is looked at.
    """
    wanted = len(filled.words)
    every = max(0.05, wanted / 200_000)
    patience = PATIENCE_SECONDS + wanted / SLOWEST_PER_SECOND
    with contextlib.ExitStack() as kept:
        if profile is not None:
            pids = {name: platform.pids[service] for name, service in PROFILED.items()}
            kept.enter_context(profiled(pids, profile))
            await asyncio.sleep(1.0)  # py-spy announces nothing when it is ready
        peak = kept.enter_context(memory_peak(platform.pids["sync-listen"]))
        before = await platform.processor(dovecot)
        began = time.monotonic()
        account = await platform.connect(imap_port or dovecot.imap_port, filled.user)
        account_id = uuid_of(account)

        async def first_page() -> bool:
            newest = await platform.number(
                "SELECT count(*) FROM api.message"
                " WHERE account_id = $1 AND listed AND received_at >= $2",
                account_id,
                filled.first_page_from,
            )
            return newest >= min(PAGE, wanted)

        async def all_listed() -> bool:
            shown = await platform.number(
                "SELECT sum(message_count) FROM api.mailbox WHERE account_id = $1", account_id
            )
            return shown >= wanted and await platform.listed(account_id) == wanted

        async def all_indexed() -> bool:
            return await platform.indexed(account_id) == wanted

        paged = await until(first_page, seconds=patience, every=0.02)
        listed = await until(all_listed, seconds=patience, every=every)
        used_until_listed = (await platform.processor(dovecot)).since(before)
        searchable = await until(all_indexed, seconds=patience, every=every)
        used_until_searchable = (await platform.processor(dovecot)).since(before)
        # A row is a promise; a word that is found keeps it. What is missing costs its waiting.
        searches: list[float] = []
        for word in sample(filled.words, SEARCHES):
            while True:
                found, taken = await platform.finds(account, word)
                searches.append(taken)
                if found:
                    break
                searchable = time.monotonic()
                if searchable - began > patience:
                    raise LookupError(f"{word} is not found")
                await asyncio.sleep(0.05)
    return FirstSync(
        account=account,
        messages=wanted,
        first_page_seconds=paged - began,
        listed_seconds=listed - began,
        searchable_seconds=searchable - began,
        search_p50_milliseconds=sorted(searches)[len(searches) // 2] * 1000,
        used_until_listed=used_until_listed,
        used_until_searchable=used_until_searchable,
        peak_megabytes=peak.megabytes,
    )
