"""An invitation in a message: the first event of its calendar (RFC 5545, RFC 5546, RFC 6047).

A reader of our own: of the calendar a dozen properties are wanted, whatever else is broken in it,
and nothing in it (rules that repeat every second …) is worked out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.sync.domain.calendar_zone import Observance, offset_at
from services.sync.domain.mime.charset import decode
from services.sync.domain.mime.structure import Part
from shared.contracts.content import Attendee, CalendarTime, Invitation

MAX_BYTES = 512 * 1024
MAX_LINES = 20_000
MAX_ATTENDEES = 500
_MAX_TEXT = 1_000

#: Octets, for a line may be folded in the middle of a character (RFC 5545 §3.1).
_FOLDED = re.compile(rb"\r?\n[ \t]")
_LINE_END = re.compile(r"\r\n?|\n")  # and no other that Python knows of
_LINE = re.compile(
    r'([A-Za-z0-9-]{1,60})((?:;[^=;:"]{1,60}=[^";:]*(?:"[^"]*"[^";:]*)*)*):(.*)', re.DOTALL
)
_PARAMETER = re.compile(r';([^=;:"]{1,60})=([^";:]*(?:"[^"]*"[^";:]*)*)')
_ESCAPED = re.compile(r"\\([nN\\;,])")
_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})?(Z)?)?")
_DURATION = re.compile(
    r"\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?"
)
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]{1,40}(?:/[A-Za-z0-9_+-]{1,40}){0,3}")
_MEDIA_TYPES = {"text/calendar", "application/ics", "text/x-vcalendar"}


class Line(NamedTuple):
    """A property with its parameters, names in upper case."""

    name: str
    parameters: dict[str, str]
    value: str


def is_calendar(media_type: str, file_name: str) -> bool:
    """Whether a part is a calendar."""
    return media_type in _MEDIA_TYPES or (
        media_type == "application/octet-stream" and file_name.lower().endswith(".ics")
    )


def invitation_in(part: Part, number: int) -> Invitation | None:
    """The first event of a calendar that is the attachment of this number."""
    raw = part.content[:MAX_BYTES]
    lines = _lines(decode(_FOLDED.sub(b"", raw), part.type.token("charset") or "utf-8"))
    calendar, event, zones = _components(lines)
    if event is None:
        return None
    found = {line.name: line for line in reversed(event)}  # the first of each

    def text(name: str) -> str:
        return _text(found[name].value) if name in found else ""

    start = _time(found.get("DTSTART"), zones)
    end = _time(found.get("DTEND"), zones)
    if end is None and start is not None and "DURATION" in found:
        end = _later(start, found["DURATION"].value, zones)
    method = calendar.get("METHOD", "") or part.type.token("method")
    sequence = text("SEQUENCE")
    people = [_attendee(line) for line in event if line.name == "ATTENDEE"]
    return Invitation(
        method=method.strip().lower()[:40] or None,
        uid=text("UID"),
        sequence=int(sequence) if re.fullmatch(r"[0-9]{1,9}", sequence) else 0,
        summary=text("SUMMARY"),
        location=text("LOCATION"),
        start=start,
        end=end,
        rule=text("RRULE") or None,
        cancelled=text("STATUS").upper() == "CANCELLED",
        organiser=_attendee(found["ORGANIZER"]) if "ORGANIZER" in found else None,
        attendees=tuple(people[:MAX_ATTENDEES]),
        attachment=number,
    )


def _lines(text: str) -> list[Line]:
    lines: list[Line] = []
    for raw in _LINE_END.split(text, maxsplit=MAX_LINES)[:MAX_LINES]:
        found = _LINE.fullmatch(raw.strip())
        if found is None:
            continue
        parameters = {
            name.upper(): value.replace('"', "") for name, value in _PARAMETER.findall(found[2])
        }
        lines.append(Line(found[1].upper(), parameters, found[3]))
    return lines


def _components(
    lines: Sequence[Line],
) -> tuple[dict[str, str], list[Line] | None, dict[str, list[Observance]]]:
    """What is said of the calendar, the lines of its first event, and the zones it describes."""
    calendar: dict[str, str] = {}
    event: list[Line] | None = None
    zones: dict[str, list[Observance]] = {}
    inside: list[str] = []
    reading_event = False
    zone_name = ""
    observed: dict[str, str] = {}
    for line in lines:
        name = line.value.strip().upper()
        if line.name == "BEGIN":
            inside.append(name)
            if name in {"VEVENT", "VTODO"} and event is None:
                event, reading_event = [], True
            elif name in {"STANDARD", "DAYLIGHT"}:
                observed = {}
            elif name == "VTIMEZONE":
                zone_name = ""
        elif line.name == "END":
            if inside and inside[-1] == name:
                inside.pop()
            if name in {"VEVENT", "VTODO"}:
                reading_event = False
            elif name in {"STANDARD", "DAYLIGHT"} and len(zones) < 100:
                observance = Observance.read(observed)
                if observance is not None:
                    zones.setdefault(zone_name, []).append(observance)
        elif not inside:
            continue
        elif inside[-1] in {"VEVENT", "VTODO"} and reading_event and event is not None:
            event.append(line)
        elif inside[-1] == "VTIMEZONE" and line.name == "TZID":
            zone_name = line.value.strip()
        elif inside[-1] in {"STANDARD", "DAYLIGHT"}:
            observed.setdefault(line.name, line.value)
        elif inside[-1] == "VCALENDAR":
            calendar.setdefault(line.name, line.value)
    return calendar, event, zones


def _time(line: Line | None, zones: dict[str, list[Observance]]) -> CalendarTime | None:
    found = _TIME.match(line.value.strip()) if line else None
    if line is None or found is None:
        return None
    year, month, day, hour, minute, second, utc = found.groups()
    try:
        if hour is None:
            return CalendarTime(local=date(int(year), int(month), int(day)).isoformat())
        local = datetime(  # noqa: DTZ001 - what clocks show, wherever
            int(year), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59)
        )
        zone = "UTC" if utc else line.parameters.get("TZID", "").strip()[:200]
        return _on_the_clock(local, zone, zones)
    except (ValueError, OverflowError):  # 31 February, or a moment before the first one
        return None


def _on_the_clock(local: datetime, zone: str, zones: dict[str, list[Observance]]) -> CalendarTime:
    known = _zone(zone)
    if known is not None:
        at = local.replace(tzinfo=known).astimezone(UTC)
    elif (offset := offset_at(zones.get(zone, ()), local)) is not None:
        at = (local - offset).replace(tzinfo=UTC)
    else:
        at = None
    return CalendarTime(local=local.isoformat(), zone=zone or None, at=at)


def _zone(name: str) -> tzinfo | None:
    """A zone by its name of IANA; some write a prefix before it."""
    if name == "UTC":
        return UTC
    name = name.removeprefix("/")
    if "/" not in name or not _ZONE_NAME.fullmatch("/".join(name.rsplit("/", 2)[-2:])):
        return None
    for wanted in (name, "/".join(name.rsplit("/", 2)[-2:])):
        try:
            return ZoneInfo(wanted)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
            continue
    return None


def _later(
    start: CalendarTime, duration: str, zones: dict[str, list[Observance]]
) -> CalendarTime | None:
    """When it ends that takes so long."""
    found = _DURATION.fullmatch(duration.strip())
    if found is None:
        return None
    weeks, days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    exact = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    try:
        if "T" not in start.local:
            last = date.fromisoformat(start.local) + timedelta(weeks=weeks, days=days)
            return CalendarTime(local=last.isoformat())
        local = datetime.fromisoformat(start.local) + timedelta(weeks=weeks, days=days) + exact
        return _on_the_clock(local, start.zone or "", zones)
    except (ValueError, OverflowError):
        return None


def _attendee(line: Line) -> Attendee:
    address = line.value.strip()
    if address[:7].lower() == "mailto:":
        address = address[7:]
    elif "@" not in address and "EMAIL" in line.parameters:  # RFC 7986 §6.2
        address = line.parameters["EMAIL"]
    return Attendee(
        name=" ".join(line.parameters.get("CN", "").split())[:_MAX_TEXT],
        email=address[:_MAX_TEXT],
        answer=line.parameters.get("PARTSTAT", "").lower()[:40] or None,
        role=line.parameters.get("ROLE", "").lower()[:40] or None,
    )


def _text(value: str) -> str:
    """A text as it was before it was escaped (RFC 5545 §3.3.11), in one line."""
    plain = _ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], value)
    return " ".join(plain.split())[:_MAX_TEXT]
