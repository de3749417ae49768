"""What a reconnect costs: a large mailbox that nobody changed, and one that somebody did."""

import asyncio
import time
from statistics import median

from benchmarks.say import say
from benchmarks.sync_bench.door import Door
from benchmarks.sync_bench.filled import Filled
from benchmarks.sync_bench.mail import mailbox
from benchmarks.sync_bench.platform import Platform, until, uuid_of
from tests.servers.dovecot import Dovecot, Mail

ROUNDS = 5
PATIENCE_SECONDS = 300.0
KEYWORD = "$Benchmarked"


async def resync(
    platform: Platform, dovecot: Dovecot, door: Door, account: str, filled: Filled
) -> dict[str, float]:
    """Seconds from the server's greeting after every connection was cut.

    Unchanged: until sync follows INBOX again (IDLE), which it does when it has compared all.
    Changed: until lists show every changed mark and every new message.
    """
    account_id = uuid_of(account)
    unchanged: list[float] = []
    for _ in range(ROUNDS):
        await _come_back(door)
        opened = door.open()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await door.idled.wait()
        unchanged.append(door.idled_at - opened)
        await asyncio.sleep(0.5)
    count = len(filled.words)
    changed = max(count // 100, 1)
    door.shut()
    await asyncio.to_thread(_change, dovecot, filled.user, count, changed)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await door.knocked.wait()
    opened = door.open()

    async def all_new() -> bool:
        return await platform.listed(account_id) == count + changed

    async def all_marked() -> bool:
        marked = await platform.number(
            "SELECT count(*) FROM api.message WHERE account_id = $1"
            " AND lower(keywords::text) LIKE '%' || lower($2) || '%'",
            account_id,
            KEYWORD,
        )
        return marked == changed

    new, marked = await asyncio.gather(
        until(all_new, seconds=PATIENCE_SECONDS), until(all_marked, seconds=PATIENCE_SECONDS)
    )
    figures = {
        "resync_unchanged_seconds": round(median(unchanged), 3),
        "resync_changed_seconds": round(max(new, marked) - opened, 3),
    }
    say(
        f"{count:,} messages: unchanged {figures['resync_unchanged_seconds']:.3f} s "
        f"({min(unchanged):.3f} to {max(unchanged):.3f}); {changed:,} marks shown after "
        f"{marked - opened:.3f} s, {changed:,} new messages after {new - opened:.3f} s"
    )
    return figures


async def _come_back(door: Door) -> None:
    """Cut every connection, and wait until sync stands at the door again."""
    door.shut()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await door.knocked.wait()


def _change(dovecot: Dovecot, user: str, count: int, changed: int) -> None:
    with dovecot.imap(user) as other:
        other.select("INBOX")
        step = count // changed
        marked = ",".join(str(uid) for uid in range(1, count + 1, step)[:changed])
        other.uid("STORE", marked, "+FLAGS.SILENT", f"({KEYWORD})")
    new = mailbox(changed, small=True, seed=f"new {time.time_ns()}")
    dovecot.append(user, "INBOX", [Mail(made.raw) for made in new])
