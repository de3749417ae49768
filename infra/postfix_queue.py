"""`python -m infra.postfix_queue`: what waits in Postfix's queue, for Prometheus.

Postfix's own `showq` is asked over its socket, as `postqueue` does, at each question: nothing is
kept here, and nothing of a message but its size and its age is told.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
_SECONDS = 10.0
_PIECE_BYTES = 65536


class NoAnswer(Exception):
    """Postfix does not tell of its queue; the text says why."""


class Waiting(Struct, frozen=True, kw_only=True):
    """A message in the queue."""

    queue: str
    size_bytes: int
    since: int  # seconds since 1970


def waiting(answer: bytes) -> Iterator[Waiting]:
    """Each message of what `showq` answers: names and values end with NUL, a message with another.

    Raises NoAnswer where it is anything else. (Postfix's attribute protocol, attr_print0(3).)
    """
    words = answer.split(b"\0")
    record: dict[bytes, bytes] = {}
    position = 0
    while position < len(words) - 1:
        name = words[position]
        if name:
            record.setdefault(name, words[position + 1])
            position += 2
            continue
        position += 1
        if b"queue_name" in record:
            try:
                yield Waiting(
                    queue=record[b"queue_name"].decode("ascii"),
                    size_bytes=int(record[b"size"]),
                    since=int(record[b"time"]),
                )
            except (KeyError, ValueError) as error:
                raise NoAnswer(f"showq says what nobody understands: {error}") from error
        record = {}


def ask(showq: Path) -> list[Waiting]:
    """All that waits; raises NoAnswer."""
    pieces: list[bytes] = []
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(str(showq))
            while piece := connection.recv(_PIECE_BYTES):
                pieces.append(piece)
    except OSError as error:
        raise NoAnswer(f"{showq}: {error}") from error
    return list(waiting(b"".join(pieces)))


class Queue(Collector):
    """The queue, as it is when Prometheus asks."""

    def __init__(self, showq: Path) -> None:
        self._showq = showq

    def collect(self) -> Iterable[GaugeMetricFamily]:
        up = GaugeMetricFamily("postbus_postfix_up", "Whether Postfix tells of its queue.")
        try:
            found = ask(self._showq)
        except NoAnswer as error:
            print(f"postfix_queue: {error}", file=sys.stderr)
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        now = time.time()
        count = _gauge("messages", "Messages that wait in Postfix's queue.")
        size = _gauge("bytes", "What they take.")
        oldest = _gauge("oldest_seconds", "For how long the oldest has waited; 0: none waits.")
        for queue in QUEUES:
            here = [one for one in found if one.queue == queue]
            count.add_metric([queue], len(here))
            size.add_metric([queue], sum(one.size_bytes for one in here))
            oldest.add_metric([queue], max((now - one.since for one in here), default=0))
        yield from (count, size, oldest)


def _gauge(what: str, says: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"postbus_postfix_queue_{what}", says, labels=["queue"])


def main() -> int:
    registry = CollectorRegistry()
    registry.register(Queue(Path(os.environ["POSTFIX_SHOWQ"])))
    _, serving = start_http_server(int(os.environ.get("PORT", "9154")), registry=registry)
    assert isinstance(serving, threading.Thread)
    serving.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
