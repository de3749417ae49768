"""How a demo message is put together: headers as real mailers write them, the same every time."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from infra.dev.demo import DOMAIN
from infra.dev.demo.seed.people import Person

SEEN, FLAGGED, ANSWERED, DRAFT = "\\Seen", "\\Flagged", "\\Answered", "\\Draft"


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A message in its place."""

    owner: str
    mailbox: str
    raw: bytes
    received_at: datetime
    flags: frozenset[str] = frozenset({SEEN})


@dataclass(frozen=True)
class File:
    """An attachment; with `inline` it is shown in the HTML as `cid:NAME`."""

    name: str
    content_type: str
    data: bytes
    inline: bool = False


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A message before it is bytes."""

    sender: Person
    to: Sequence[Person]
    subject: str
    when: datetime
    text: str = ""
    html: str = ""
    cc: Sequence[Person] = ()
    files: Sequence[File] = ()
    in_reply_to: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    calendar: tuple[str, str] | None = None  # method and iCalendar text
    attached: Sequence["Letter"] = ()  # forwarded whole

    @property
    def message_id(self) -> str:
        seed = f"{self.sender.address}\n{self.subject}\n{self.when:%Y-%m-%d %H:%M}"
        digest = hashlib.blake2b(seed.encode(), digest_size=12).hexdigest()
        return f"<{digest}@{self.sender.domain}>"

    def render(self) -> bytes:
        """The message as it travelled, the trace of the last server on top."""
        return _with_fixed_boundaries(self._message(), self.message_id).as_bytes()

    def _message(self) -> EmailMessage:
        message = EmailMessage(SMTP)
        if self.sender.domain != DOMAIN:
            message["Return-Path"] = f"<{self.headers.get('Sender', self.sender.address)}>"
            message["Received"] = (
                f"from mx.{self.sender.domain} (mx.{self.sender.domain} [192.0.2.25])"
                f" by {DOMAIN} with ESMTPS; {format_datetime(self.when + timedelta(seconds=4))}"
            )
        message["Date"] = format_datetime(self.when.astimezone(self.sender.zone))
        message["From"] = mailbox(self.sender)
        if self.to:
            message["To"] = [mailbox(each) for each in self.to]
        if self.cc:
            message["Cc"] = [mailbox(each) for each in self.cc]
        message["Subject"] = self.subject
        message["Message-ID"] = self.message_id
        if self.in_reply_to:
            message["In-Reply-To"] = self.in_reply_to[-1]
            message["References"] = " ".join(self.in_reply_to)
        for name, value in self.headers.items():
            message[name] = value
        self._fill(message)
        return message

    def _fill(self, message: EmailMessage) -> None:
        if self.text:
            message.set_content(self.text)
            if self.html:
                message.add_alternative(self.html, subtype="html")
        else:
            message.set_content(self.html, subtype="html")
        if self.calendar:
            method, event = self.calendar
            message.add_alternative(event, subtype="calendar", params={"method": method})
        shown = [each for each in self.files if each.inline]
        if shown:
            html = message.get_body(("html",))
            assert html is not None
            for each in shown:
                main, sub = each.content_type.split("/")
                html.add_related(each.data, main, sub, cid=f"<{each.name}>", filename=each.name)
        for each in self.files:
            if not each.inline:
                main, sub = each.content_type.split("/")
                message.add_attachment(each.data, main, sub, filename=each.name)
        for letter in self.attached:
            message.add_attachment(letter._message())


def mailbox(person: Person) -> Address:
    """Name and address as a header wants them."""
    return Address(person.name, addr_spec=person.address)


def quoted(letter: Letter, previous: Letter) -> str:
    """The text of a reply with what it answers below, as most mailers do."""
    when = previous.when.astimezone(previous.sender.zone)
    lines = "\n".join(f"> {line}".rstrip() for line in previous.text.splitlines())
    name = previous.sender.name
    return f"{letter.text}\nOn {when:%a, %d %b %Y at %H:%M}, {name} wrote:\n{lines}\n"


def moment(now: datetime, days: int, clock: str, person: Person) -> datetime:
    """The time of day `clock` of the person's day so many days ago, and never in the future."""
    hour, minute = map(int, clock.split(":"))
    day = now.astimezone(person.zone) - timedelta(days=days)
    when = datetime.combine(day.date(), time(hour, minute), person.zone)
    return when if when < now else when - timedelta(days=1)


def _with_fixed_boundaries(message: EmailMessage, seed: str) -> EmailMessage:
    multiparts = [part for part in message.walk() if part.is_multipart()]
    for number, part in enumerate(multiparts):
        if part.get_content_maintype() == "multipart":
            digest = hashlib.blake2b(f"{seed}{number}".encode(), digest_size=9).hexdigest()
            part.set_boundary(f"=_{digest}")
    return message
