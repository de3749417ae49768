"""Messages per second of the processor: ours, the standard library's, the fastest found."""

import email
import email.policy
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage, Message

from benchmarks.say import say
from services.sync.domain.parse import parse
from services.sync.domain.understand import understand

SECONDS = 3.0  # for each parser
RECEIVED_AT = datetime(2024, 3, 7, tzinfo=UTC)


def speeds(raws: list[bytes]) -> dict[str, int]:
    """By parser: how many messages each second of the processor."""
    found: dict[str, int] = {}
    for name, read in _parsers().items():
        per_second, failed = _rate(read, raws)
        found[f"{name}_messages_per_second"] = round(per_second)
        said = f", of {len(raws)} it raises on {failed}" if failed else ""
        say(f"{name:24} {per_second:9,.0f} messages per second{said}")
    return found


def _parsers() -> dict[str, Callable[[bytes], object]]:
    found: dict[str, Callable[[bytes], object]] = {
        "postbus_parse": parse,
        "postbus_understand": _understand,  # and made ready to be kept and told
        "email_default_policy": _newest,
        "email_compat32": _oldest,
    }
    try:
        from fast_mail_parser import parse_email
    except ImportError:
        say("fast_mail_parser is not installed: left out")
    else:
        found["fast_mail_parser"] = parse_email
    return found


def _rate(read: Callable[[bytes], object], raws: list[bytes]) -> tuple[float, int]:
    """Messages per second, over and over; and how many of them it does not survive."""
    failed: set[int] = set()
    count = 0
    began = time.process_time()
    while (taken := time.process_time() - began) < SECONDS:
        for at in range(count, count + 100):
            try:
                read(raws[at % len(raws)])
            except Exception:  # noqa: BLE001 - others' parsers raise what they like
                failed.add(at % len(raws))
        count += 100
    return count / taken, len(failed)


def _understand(raw: bytes) -> object:
    return understand(uid=1, raw=raw, received_at=RECEIVED_AT)


def _newest(raw: bytes) -> object:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain", "html"))
    text = body.get_content() if body else ""
    people = [str(message[name]) for name in ("from", "to", "cc", "subject", "date")]
    return text, people, [part.get_payload(decode=True) for part in message.iter_attachments()]


def _oldest(raw: bytes) -> object:
    message: Message[str, str] = email.message_from_bytes(raw)
    people = [str(message[name]) for name in ("from", "to", "cc", "subject", "date")]
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    return people, parts


def made(count: int) -> Iterator[bytes]:
    """Messages of a usual shape: two bodies and, in every fifth, a file."""
    words = ["quick", "brown", "fox", "jumps", "over", "Grüße", "from", "Köln", "to", "dogs"]
    for number in range(count):
        message = EmailMessage()
        message["From"] = f"Person {number} <person{number}@example.org>"
        message["To"] = "Somebody Else <else@example.org>"
        message["Subject"] = f"Letter {number} über alles"
        message["Message-ID"] = f"<{number}@example.org>"
        message["Date"] = "Thu, 07 Mar 2024 10:11:12 +0100"
        text = " ".join(words[(number * 7 + n) % len(words)] for n in range(300))
        message.set_content(text)
        message.add_alternative(f"<html><body><p>{text}</p></body></html>", subtype="html")
        if number % 5 == 0:
            message.add_attachment(
                bytes(20_000), maintype="application", subtype="pdf", filename="ä.pdf"
            )
        yield message.as_bytes()
