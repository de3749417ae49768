"""How fast mail becomes readable and searchable, beside what others do with the same mail.

One generated mailbox served by Dovecot: a raw socket, mbsync, notmuch, mu, and Postbus with all
its durability. Then what people wait for: the first page, a reconnect, a new message, an opened
message; and what it costs to be idle. Run by `./just bench sync`; `--only NAME` runs one part.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import hardware
from benchmarks.say import say, title
from benchmarks.sync_bench.door import Door
from benchmarks.sync_bench.filled import Filled, fill, filled_dovecot
from benchmarks.sync_bench.idle import idle
from benchmarks.sync_bench.peers import peers
from benchmarks.sync_bench.platform import running_platform
from benchmarks.sync_bench.profile import available
from benchmarks.sync_bench.raw import raw_fetch, warm
from benchmarks.sync_bench.resync import resync
from benchmarks.sync_bench.throughput import first_sync
from benchmarks.sync_bench.waiting import Waited, by_append, by_lmtp, new_mail, opening
from tests.servers.dovecot import Dovecot
from tests.servers.process import short_directory
from tests.servers.proxy import Proxy
from tests.servers.pymap import Pymap
from tests.stories.walk import until_state

ROUND_TRIP = 0.040
LETTERS = 120
GROWTH = (1_000, 10_000, 100_000)
RESYNC = 50_000
MILLION = 1_000_000
ACCOUNTS = (1, 100, 1_000)


@dataclass
class Run:
    """What was asked, and what was measured so far."""

    dovecot: Dovecot
    messages: int
    scale: float
    profile: Path | None
    figures: dict[str, object] = field(default_factory=dict[str, object])
    filled: Filled | None = None

    def mailbox(self) -> Filled:
        """The generated mailbox, made once; the raw socket is measured as soon as it is there."""
        if self.filled is None:
            self.filled = fill(self.dovecot, self.messages)
            warm(self.dovecot.directory / "mail")
            fetched = [raw_fetch(self.dovecot.imap_port, self.filled.user) for _ in range(3)]
            seconds, octets = sorted(fetched)[1]
            self.rate("raw_fetch", self.messages / seconds)
            say(
                f"raw FETCH on one socket {self.messages / seconds:,.0f}/s, "
                f"{octets / seconds / 1e6:,.0f} MB/s"
            )
        return self.filled

    def rate(self, name: str, per_second: float) -> None:
        self.figures[f"{name}_messages_per_second"] = round(per_second)

    def scaled(self, count: int) -> int:
        return max(int(count * self.scale), 1)


async def throughput(run: Run) -> None:
    """From POST /accounts to listed and searchable."""
    filled = run.mailbox()
    async with running_platform() as platform:
        first = await first_sync(platform, run.dovecot, filled, profile=run.profile)
    first.show()
    run.rate("listed", first.listed_per_second)
    run.rate("searchable", first.searchable_per_second)
    run.figures["sync_peak_megabytes"] = round(first.peak_megabytes)
    run.figures["processor_seconds_per_thousand_messages"] = round(
        first.processor_seconds_per_thousand(first.used_until_searchable), 3
    )


async def others(run: Run) -> None:
    """The same mail, by mbsync, notmuch and mu."""
    filled = run.mailbox()
    with tempfile.TemporaryDirectory(prefix="postbus-bench-") as directory:
        ran = await asyncio.to_thread(
            peers, run.dovecot.imap_port, filled.user, run.messages, Path(directory)
        )
    unchanged = ran.pop("mbsync_unchanged", None)
    for name, each in ran.items():
        run.rate(name, each.per_second)
    if unchanged:
        run.figures["mbsync_unchanged_seconds"] = round(unchanged.seconds, 3)


async def distance(run: Run) -> None:
    """The first sync of the same mail from a server that is 40 ms away."""
    filled = run.mailbox()
    async with (
        running_platform() as platform,
        Proxy.to(run.dovecot.imap_port, delay_seconds=ROUND_TRIP / 2) as proxy,
    ):
        seconds, _ = await asyncio.to_thread(raw_fetch, proxy.port, filled.user)
        say(f"raw FETCH on one socket {run.messages / seconds:,.0f}/s")
        first = await first_sync(platform, run.dovecot, filled, imap_port=proxy.port)
    first.show()
    run.rate("listed_at_40_ms", first.listed_per_second)


async def growth(run: Run) -> None:
    """Small messages, ten times as many each time; while the most arrive, others are opened."""
    async with running_platform() as platform:
        earlier = ""
        opened: list[float] = []
        for count in (run.scaled(each) for each in GROWTH):
            filled = fill(run.dovecot, count, small=True, seed=f"growth {count}")
            if earlier and count == run.scaled(GROWTH[-1]):
                async with opening(platform.person, earlier) as opened:
                    first = await first_sync(platform, run.dovecot, filled)
                run.figures["first_page_seconds"] = round(first.first_page_seconds, 2)
            else:
                first = await first_sync(platform, run.dovecot, filled)
                earlier = earlier or first.account
            first.show()
            run.figures[f"sync_peak_megabytes_of_{count}"] = round(first.peak_megabytes)
            run.rate(f"listed_of_{count}", first.listed_per_second)
            run.rate(f"searchable_of_{count}", first.searchable_per_second)
    say(f"opening a message meanwhile: {Waited(opened)}")
    run.figures["open_during_first_sync_p95_milliseconds"] = round(Waited(opened).at(0.95), 1)


async def million(run: Run) -> None:
    """A million small messages, and the memory that takes."""
    filled = fill(run.dovecot, run.scaled(MILLION), small=True, seed="million")
    async with running_platform() as platform:
        first = await first_sync(platform, run.dovecot, filled)
    first.show()
    run.figures["sync_peak_megabytes_of_a_million"] = round(first.peak_megabytes)
    run.rate("listed_of_a_million", first.listed_per_second)
    run.rate("searchable_of_a_million", first.searchable_per_second)


async def reconnect(run: Run) -> None:
    """A mailbox of 50,000 after every connection was cut."""
    filled = fill(run.dovecot, run.scaled(RESYNC), small=True, seed="resync")
    async with running_platform() as platform, Door.to(run.dovecot.imap_port) as door:
        assert isinstance(door, Door)
        first = await first_sync(platform, run.dovecot, filled, imap_port=door.port)
        run.figures |= await resync(platform, run.dovecot, door, first.account, filled)


async def latency(run: Run) -> None:
    """From the delivery of a letter to the event that tells of it.

    Dovecot tells an idle connection of new mail when half a second has passed (NOTIFY_DELAY_MSECS);
    a server that tells at once stands beside.
    """
    filled = fill(run.dovecot, run.scaled(1_000), small=True, seed="latency")
    async with running_platform() as platform:
        await first_sync(platform, run.dovecot, filled)
        await asyncio.sleep(2.0)  # what the first sync left to do is not what is measured
        deliver = by_lmtp(run.dovecot, filled.user)
        port = run.dovecot.imap_port
        dovecot = await new_mail(platform, port, filled.user, deliver, LETTERS)
        with short_directory("pbp") as directory, Pymap(directory) as server:
            user = server.new_user("latency")
            account = await platform.connect(server.imap_port, user)
            await until_state(platform.person, account, "live")
            with server.imap(user) as connection:
                deliver = by_append(connection, user)
                prompt = await new_mail(platform, server.imap_port, user, deliver, LETTERS)
    for name, waited in (("pymap", prompt), ("Dovecot", dovecot)):
        say(f"{name} took a letter; told an idle connection: {waited.by_server}")
        say(f"{'':{len(name)}}                the event stream told: {waited.by_us}")
    run.figures["new_mail_p50_milliseconds"] = round(dovecot.by_us.at(0.5), 1)
    run.figures["new_mail_p95_milliseconds"] = round(dovecot.by_us.at(0.95), 1)
    run.figures["new_mail_pymap_p50_milliseconds"] = round(prompt.by_us.at(0.5), 1)
    run.figures["dovecot_tells_p50_milliseconds"] = round(dovecot.by_server.at(0.5), 1)


async def idling(run: Run) -> None:
    """Accounts in which nothing happens."""
    async with running_platform() as platform:
        steps = sorted({run.scaled(each) for each in ACCOUNTS})
        run.figures |= await idle(platform, run.dovecot, steps)


PARTS: dict[str, Callable[[Run], Awaitable[None]]] = {
    "throughput": throughput,
    "peers": others,
    "distance": distance,
    "growth": growth,
    "resync": reconnect,
    "new-mail": latency,
    "idle": idling,
    "million": million,
}
DAILY = [name for name in PARTS if name != "million"]  # which takes most of an hour
# The floor of each figure in times a peer's.
RATIOS = (
    ("listed", "raw_fetch", 0.13),
    ("searchable", "raw_fetch", 0.06),
    ("searchable", "mu", 4),
    ("searchable", "notmuch", 7),
    ("searchable", "mbsync", 1.2),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="this part only")
    parser.add_argument("--messages", type=int, default=10_000, help="in the generated mailbox")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of every other size, to try the benchmark itself"
    )
    parser.add_argument(
        "--profile", type=Path, metavar="DIRECTORY", help="sample the first sync with py-spy"
    )
    asked = parser.parse_args()
    if asked.profile and not available():
        parser.error("py-spy is not on the PATH")
    signal.signal(signal.SIGTERM, _end_as_by_hand)
    began = time.monotonic()
    machine = hardware()
    say(" · ".join(f"{name} {value}" for name, value in machine.items()))
    with filled_dovecot() as dovecot:
        run = Run(dovecot, asked.messages, asked.scale, asked.profile)
        failed = asyncio.run(measure(run, asked.only or DAILY))
    ratios(run.figures)
    say(
        json.dumps(
            {"benchmark": "sync"}
            | run.figures
            | {"failed": failed}
            | machine
            | {"seconds": round(time.monotonic() - began)}
        )
    )
    return bool(failed)


def _end_as_by_hand(number: int, frame: FrameType | None) -> None:
    """However it is ended, nothing that it started is left behind. `timeout` signals twice."""
    signal.signal(number, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)


async def measure(run: Run, parts: list[str]) -> list[str]:
    """Measure each part; the names of those that could not be measured."""
    failed: list[str] = []
    for name in parts:
        title(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}")
        try:
            await PARTS[name](run)
        except Exception as error:  # noqa: BLE001 - the others are still worth measuring
            say(f"FAILED: {type(error).__name__}: {error}")
            failed.append(name)
    return failed


def ratios(figures: dict[str, object]) -> None:
    """Ours in times theirs, of the same run."""
    for ours, theirs, floor in RATIOS:
        mine = figures.get(f"{ours}_messages_per_second")
        other = figures.get(f"{theirs}_messages_per_second")
        if isinstance(mine, int) and isinstance(other, int):
            say(f"{ours:>12} is {mine / other:6.2f} times {theirs} (floor {floor})")


if __name__ == "__main__":
    sys.exit(main())
