"""How fast messages are read, and how far we agree with other parsers about what they say.

Throughput of the parser alone, and of all that is done with a message before it is kept (parsed,
made recognisable, written as it is told, packed), on the real mail beside the project (or, without
it, on messages made here), next to the standard library with its newest policy, with its oldest,
and the fastest parser found. Agreement with what at least two of three independent parsers made of
the same mail. Run by `./just bench mime`.
"""

import email
import email.policy
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from services.sync.domain.mime.bodies import bodies_of
from services.sync.domain.mime.structure import read_structure
from services.sync.domain.parse import parse
from services.sync.domain.understand import understand
from tests.corpora import corpora, messages

SECONDS = 3.0  # for each parser
RECEIVED_AT = datetime(2024, 3, 7, tzinfo=UTC)


def main() -> None:
    raws = [raw for _, raw in messages()] or list(made(2_000))
    say(f"{len(raws)} messages, {sum(map(len, raws)) / 1e6:.1f} MB")
    rates = {name: rate(read, raws) for name, read in parsers().items()}
    for name, each in rates.items():
        say(f"{name:32} {each:9,.0f} messages per CPU second")
    agreed = agreement()
    for name, (same, of) in agreed.items():
        say(f"{name:32} {same}/{of} agree ({same / of:.2%})")
    measured = {
        "benchmark": "mime",
        "messages": len(raws),
        **{f"{name}_messages_per_second": round(each) for name, each in rates.items()},
        **{f"{name}_agreement": round(same / of, 4) for name, (same, of) in agreed.items()},
    }
    sys.stdout.write(json.dumps(measured) + "\n")


def parsers() -> dict[str, Callable[[bytes], object]]:
    found: dict[str, Callable[[bytes], object]] = {
        "postbus": parse,
        "postbus_understand": _understand,
        "email_default_policy": _newest,
        "email_compat32": _oldest,
    }
    try:
        from fast_mail_parser import parse_email
    except ImportError:
        say("fast_mail_parser is not installed: left out")
    else:
        found["fast_mail_parser"] = _fast(parse_email)
    return found


def rate(read: Callable[[bytes], object], raws: list[bytes]) -> float:
    """Messages per second of the processor; one that a parser fails on counts as read."""
    read(raws[0])
    began = time.process_time()
    count = 0
    while (taken := time.process_time() - began) < SECONDS:
        for raw in raws[count % len(raws) :][:100]:
            try:
                read(raw)
            except Exception:  # noqa: BLE001 - others' parsers raise what they like
                FAILED[read.__name__] += 1
            count += 1
    return count / taken


FAILED: Counter[str] = Counter()


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


def _fast(parse_email: Callable[[bytes], object]) -> Callable[[bytes], object]:
    def fast_mail_parser(raw: bytes) -> object:
        return parse_email(raw)

    return fast_mail_parser


def agreement() -> dict[str, tuple[int, int]]:
    """By field: how many of how many messages say the same to us as to the others."""
    folder = corpora()
    if folder is None:
        say("no real mail beside the project: agreement is not measured")
        return {}
    raws = dict(messages())
    same: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for line in (folder / "spamassassin" / "expected-parse.jsonl").read_text().splitlines():
        theirs = json.loads(line)
        ours = understood(raws[f"spamassassin/{theirs['file']}"])
        for field, value in ours.items():
            if field in theirs and theirs.get(f"{field}_votes", 3) == 3:
                of[field] += 1
                same[field] += comparable(theirs[field]) == comparable(value)
    return {field: (same[field], of[field]) for field in of}


def understood(raw: bytes) -> dict[str, object]:
    parsed = parse(raw)
    attached = bodies_of(read_structure(raw).root).attached
    return {
        "subject": parsed.subject,
        "from": parsed.sender.email if parsed.sender else "",
        "date": int(parsed.sent_at.timestamp()) if parsed.sent_at else None,
        "text_ws_sha256": _hash(parsed.text),
        "html_ws_sha256": _hash(parsed.html or ""),
        "attachment_sha256": sorted(hashlib.sha256(each.content).hexdigest() for each in attached),
    }


def comparable(value: object) -> object:
    if isinstance(value, str):
        return " ".join(value.split()).lower()
    return sorted(value) if isinstance(value, list) else value


def _hash(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


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


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
