from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.parse import parse
from shared.contracts.content import Attendee, CalendarTime, Invitation

ZONE = """\
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def letter(event: str, *, zone: str = ZONE, method: str = "REQUEST") -> bytes:
    calendar = (
        f"BEGIN:VCALENDAR\nMETHOD:{method}\nVERSION:2.0\n{zone}"
        f"BEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    return (
        "Subject: Invitation\nContent-Type: multipart/mixed; boundary=m\n\n--m\n"
        "Content-Type: text/plain\n\nPlease come.\n--m\n"
        f"Content-Type: text/calendar; charset=utf-8; method={method}\n\n{calendar}\n--m--\n"
    ).encode()


def invitation(event: str, *, zone: str = ZONE) -> Invitation:
    found = parse(letter(event, zone=zone)).invitation
    assert found is not None
    return found


def test_an_invitation_says_what_when_where_and_who():
    read = invitation(
        "UID:7@example.org\nSEQUENCE:2\nSUMMARY;LANGUAGE=de:Plan\\, Teil\\n 2: Grü\n ße\n"
        "LOCATION:Room 4\nDTSTART;TZID=Europe/Berlin:20260301T100000\nDURATION:PT1H30M\n"
        "RRULE:FREQ=WEEKLY;COUNT=3\n"
        'ORGANIZER;CN="Doe; Ann":MAILTO:ann@example.org\n'
        "ATTENDEE;PARTSTAT=NEEDS-ACTION;ROLE=OPT-PARTICIPANT;CN=Bob:mailto:bob@example.org\n"
        "BEGIN:VALARM\nSUMMARY:not this\nEND:VALARM"
    )
    assert read == Invitation(
        method="request",
        uid="7@example.org",
        sequence=2,
        summary="Plan, Teil 2: Grüße",
        location="Room 4",
        start=CalendarTime(
            local="2026-03-01T10:00:00",
            zone="Europe/Berlin",
            at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        ),
        end=CalendarTime(
            local="2026-03-01T11:30:00",
            zone="Europe/Berlin",
            at=datetime(2026, 3, 1, 10, 30, tzinfo=UTC),
        ),
        rule="FREQ=WEEKLY;COUNT=3",
        organiser=Attendee(name="Doe; Ann", email="ann@example.org"),
        attendees=(
            Attendee(
                name="Bob", email="bob@example.org", answer="needs-action", role="opt-participant"
            ),
        ),
        attachment=1,
    )


@pytest.mark.parametrize(
    ("local", "hour"),
    [
        ("20260115T100000", 9),
        ("20260715T100000", 8),
        ("20260328T100000", 9),
        ("20260330T100000", 8),
    ],
)
def test_a_zone_that_only_windows_knows_is_read_from_the_calendar(local: str, hour: int):
    start = invitation(f"DTSTART;TZID=W. Europe Standard Time:{local}").start
    assert start is not None
    assert start.at is not None
    assert start.at.hour == hour


@pytest.mark.parametrize(
    ("stated", "when"),
    [
        ("DTSTART;VALUE=DATE:20260301", CalendarTime(local="2026-03-01")),
        ("DTSTART:20260301T100000", CalendarTime(local="2026-03-01T10:00:00")),
        (
            "DTSTART:20260301T100000Z",
            CalendarTime(
                local="2026-03-01T10:00:00", zone="UTC", at=datetime(2026, 3, 1, 10, tzinfo=UTC)
            ),
        ),
        (
            "DTSTART;TZID=Nowhere:20260301T100000",
            CalendarTime(local="2026-03-01T10:00:00", zone="Nowhere"),
        ),
        ("DTSTART:20260231T100000", None),
        ("DTSTART;TZID=Europe/Berlin:00010101T000000", None),
        ("DTSTART:soon", None),
    ],
)
def test_a_time_is_told_as_far_as_it_is_known(stated: str, when: CalendarTime | None):
    assert invitation(stated).start == when


def test_a_calendar_that_is_the_whole_message_is_an_invitation():
    raw = (
        b"Content-Type: text/calendar; method=REPLY\n\nBEGIN:VCALENDAR\nBEGIN:VEVENT\n"
        b"UID:1\nSTATUS:CANCELLED\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    assert parse(raw).invitation == Invitation(
        method="reply", uid="1", cancelled=True, attachment=1
    )


def test_a_line_may_be_folded_in_the_middle_of_a_character():
    raw = letter("UID:1\nSUMMARY:Käse")
    at = raw.index("ä".encode()) + 1
    invitation = parse(raw[:at] + b"\n " + raw[at:]).invitation
    assert invitation is not None
    assert invitation.summary == "Käse"


@pytest.mark.parametrize("blank", ["\u2028", "\x0b", "\x85"])
def test_only_line_ends_end_a_line(blank: str):
    invitation = parse(
        letter(f"UID:1\nSUMMARY:Lunch{blank}ORGANIZER:mailto:eve@example.org")
    ).invitation
    assert invitation is not None
    assert invitation.organiser is None
    assert invitation.summary.startswith("Lunch")


def test_a_calendar_without_an_event_is_no_invitation():
    assert (
        parse(b"Content-Type: text/calendar\n\nBEGIN:VCALENDAR\nEND:VCALENDAR\n").invitation is None
    )


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    "event",
    [
        "ATTENDEE:mailto:a@x\n" * 20_000,
        "DTSTART" + ";X=" * 20_000 + ":1",
        'DTSTART;TZID="' * 20_000,
        "BEGIN:VEVENT\n" * 20_000,
        "SUMMARY:x\n" + " y\n" * 100_000,
    ],
)
def test_a_calendar_that_is_a_bomb_is_soon_read(event: str):
    read = invitation(event)
    assert len(read.attendees) <= 500
    assert len(read.summary) <= 1_000


_PIECES = st.sampled_from(
    (
        "BEGIN:VCALENDAR\n",
        "BEGIN:VEVENT\n",
        "END:VEVENT\n",
        "BEGIN:VTIMEZONE\n",
        "TZID:a\n",
        "BEGIN:DAYLIGHT\n",
        "END:DAYLIGHT\n",
        "DTSTART;TZID=a:99991231T235959\n",
        "DURATION:P9W\n",
        "DTSTART:16010101T000000\n",
        "DTSTART:00010101T000000\n",
        "TZOFFSETTO:-2359\n",
        "TZOFFSETTO:+9999\n",
        "RRULE:FREQ=YEARLY;BYMONTH=12;BYDAY=-5SU\n",
        "RRULE:BYDAY=5MO;BYMONTH=2\n",
        "DTEND;TZID=../..:20260101T000000\n",
        "DTSTART;TZID=Europe:20260101T000000\n",
        "\0",
        ":",
        ";",
    )
)


@given(st.lists(_PIECES | st.text(max_size=20), max_size=40))
def test_whatever_stands_in_a_calendar_the_message_is_read(pieces: list[str]):
    raw = b"Subject: x\nContent-Type: text/calendar\n\n" + "".join(pieces).encode()
    assert parse(raw).subject == "x"
