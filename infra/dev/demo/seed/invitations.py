"""Invitations of the demo: requests, answers and cancellations as text/calendar (RFC 6047)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from infra.dev.demo import ADA
from infra.dev.demo.seed.letter import SEEN, Letter, Planted, moment
from infra.dev.demo.seed.people import PEOPLE, Person

# Organiser, what, where, days until (or since), hour, days since the invitation, method.
EVENTS = (
    ("tomas", "Building committee", "Old rope works, upper hall", 6, 18, 2, "REQUEST"),
    ("dev", "Lecture: Weather", "School of architecture, room 1", 19, 17, 40, "REQUEST"),
    ("grace", "Customs house: first sketch", "Quay 7", 3, 9, 1, "REQUEST"),
    ("priya", "Crack survey, north wall", "Site", 11, 8, 4, "REQUEST"),
    ("robin", "Fire inspection, part 2", "Harbour Library", -21, 10, 35, "REQUEST"),
    ("robin", "Fire inspection, part 1", "Harbour Library", -49, 10, 60, "CANCEL"),
    ("marta", "Signature of the lease", "Notary's office, 2nd floor", -112, 15, 116, "REQUEST"),
    ("sam", "Rock, long rope", "The usual crag", -150, 14, 153, "REQUEST"),
    ("ingrid", "Fish soup", "Home", 5, 13, 2, "REQUEST"),
)

AT_LEISURE = {"sam", "ingrid"}


def invitations(now: datetime) -> Iterator[Planted]:
    for key, title, place, start, hour, sent, method in EVENTS:
        organiser = PEOPLE[key]
        when = moment(now, sent, "10:30", organiser)
        begins = _hour(now + timedelta(days=start), hour, at_leisure=key in AT_LEISURE)
        yield _planted(_letter(organiser, title, place, when, begins, method), "INBOX", sent > 3)
    accepted = moment(now, 39, "12:00", PEOPLE["dev"])
    begins = _hour(now + timedelta(days=19), 17, at_leisure=False)
    reply = _letter(
        PEOPLE["hannah"],
        "Lecture: Weather",
        "School of architecture, room 1",
        accepted,
        begins,
        "REPLY",
    )
    yield _planted(reply, "INBOX", True)


def _hour(day: datetime, hour: int, *, at_leisure: bool) -> datetime:
    """The hour of that day; business moves to the next working day, leisure to the Sunday."""
    if at_leisure:
        day += timedelta(days=6 - day.weekday())
    elif day.weekday() > 4:
        day += timedelta(days=7 - day.weekday())
    return day.replace(hour=hour, minute=0, second=0, microsecond=0)


def _planted(letter: Letter, mailbox: str, seen: bool) -> Planted:
    return Planted(
        owner=ADA.address,
        mailbox=mailbox,
        raw=letter.render(),
        received_at=letter.when,
        flags=frozenset({SEEN} if seen else ()),
    )


def _letter(
    person: Person, title: str, place: str, when: datetime, begins: datetime, method: str
) -> Letter:
    prefix = {"REQUEST": "Invitation", "CANCEL": "Cancelled", "REPLY": "Accepted"}[method]
    day = f"{begins:%A, %d %B %Y, %H:%M}"
    return Letter(
        sender=person,
        to=[PEOPLE["ada"]],
        subject=f"{prefix}: {title}, {begins:%a %d %b}",
        when=when,
        text=f"{title}\n{day} UTC\n{place}\n",
        calendar=(method, _event(person, title, place, when, begins, method)),
    )


def _event(
    person: Person, title: str, place: str, when: datetime, begins: datetime, method: str
) -> str:
    ada = PEOPLE["ada"]
    organiser = PEOPLE["dev"] if method == "REPLY" else person
    attendee = person if method == "REPLY" else ada
    state = "ACCEPTED" if method == "REPLY" else "NEEDS-ACTION"
    uid = f"{title.lower().replace(' ', '-').replace(':', '').replace(',', '')}@{organiser.domain}"
    lines = [
        "BEGIN:VCALENDAR",
        "PRODID:-//Postbus//Demo//EN",
        "VERSION:2.0",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{when.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART:{begins:%Y%m%dT%H%M%SZ}",
        f"DTEND:{begins + timedelta(hours=1):%Y%m%dT%H%M%SZ}",
        f"SUMMARY:{_escaped(title)}",
        f"LOCATION:{_escaped(place)}",
        f"ORGANIZER;CN={organiser.name}:mailto:{organiser.address}",
        f"ATTENDEE;CN={attendee.name};PARTSTAT={state};RSVP=TRUE:mailto:{attendee.address}",
        f"SEQUENCE:{1 if method == 'CANCEL' else 0}",
        f"STATUS:{'CANCELLED' if method == 'CANCEL' else 'CONFIRMED'}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "\r\n".join(_folded(line) for line in lines) + "\r\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")


def _folded(line: str) -> str:
    """Lines of at most 75 octets (RFC 5545 §3.1); all but names here are ASCII."""
    parts: list[str] = []
    while len(line.encode()) > 75:
        cut = 74
        while len(line[:cut].encode()) > 74:
            cut -= 1
        parts.append(line[:cut])
        line = " " + line[cut:]
    return "\r\n".join([*parts, line])
