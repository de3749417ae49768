"""A Dovecot whose users have mail, filled as fast as it takes it."""

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.say import say
from benchmarks.sync_bench.mail import Made, mailbox
from tests.servers.dovecot import Dovecot, Mail
from tests.servers.process import short_directory

BATCH_BYTES = 8_000_000

# Many idle people are many connections of one process each.
EXTRA = """
service imap {
  process_limit = 4000
}
"""


@dataclass(frozen=True)
class Filled:
    """A user of the server, and the words by which each of their messages is found."""

    user: str
    words: list[str]
    octets: int
    first_page_from: datetime  # when the fiftieth-newest message came


@contextmanager
def filled_dovecot() -> Generator[Dovecot]:
    with short_directory("pbb") as directory, Dovecot(directory, extra=EXTRA) as dovecot:
        yield dovecot


def fill(dovecot: Dovecot, count: int, *, small: bool = False, seed: str = "postbus") -> Filled:
    """A new user with so many messages in INBOX."""
    began = time.monotonic()
    user = dovecot.new_user("bench")
    words: list[str] = []
    octets = 0
    dates: list[datetime] = []
    for batch in _batches(mailbox(count, small=small, seed=seed)):
        dovecot.append(
            user, "INBOX", [Mail(made.raw, made.flags, made.received_at) for made in batch]
        )
        words += [made.unique for made in batch]
        dates += [made.received_at for made in batch]
        octets += sum(len(made.raw) for made in batch)
    seconds = time.monotonic() - began
    say(f"{count:,} messages, {octets / 1e6:,.0f} MB, put into Dovecot in {seconds:.1f} s")
    return Filled(user, words, octets, dates[-50:][0])


def storage(dovecot: Dovecot, user: str) -> Path:
    """Where Dovecot keeps the user's mail."""
    name, _, domain = user.partition("@")
    return dovecot.directory / "mail" / domain / name


def _batches(messages: Iterable[Made]) -> Generator[list[Made]]:
    """As many as are worth a connection, whatever their number."""
    batch: list[Made] = []
    size = 0
    for made in messages:
        batch.append(made)
        size += len(made.raw)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
