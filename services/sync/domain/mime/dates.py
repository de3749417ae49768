"""When a message says it was sent (RFC 5322 §3.3, and how people really write dates)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_USUAL = re.compile(
    r"(?:[A-Za-z]+,?)?\s*(\d{1,2})\s+([A-Za-z]{3})[a-z]*\.?,?\s+(\d{4})\s+(\d{1,2}):(\d{2})(?::(\d{2}))?"
    r"(?:[.,]\d+)?\s*(?:GMT|UTC?)?([+-])(\d{1,2})(?::?(\d{2}))?\b"
)
#: A zone without a sign says nothing (`01800`); `-1600` is nowhere on Earth but means something.
_UNSIGNED = re.compile(r":\d{2}\s+\d{4,5}\s*$")
#: Names of zones that mean one thing, and that the standard library does not know.
_ZONES = {
    "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "MEZ": 1, "MESZ": 2,
    "EET": 2, "EEST": 3, "MSK": 3, "MSD": 4, "SAST": 2, "PKT": 5, "WIB": 7, "SGT": 8, "HKT": 8,
    "AWST": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
    "BRT": -3, "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip
_ZONE = re.compile(r":\d{2}\s+\(?([A-Z]{3,4})\)?\s*(?:\d{4}\s*)?$")
_DAY = timedelta(hours=24)


def parse_date(text: str) -> datetime | None:
    """The moment in UTC, always aware, or None when there is no sense in it."""
    text = text[:200]
    try:
        return _usual(text) or _unusual(text)
    except (ValueError, OverflowError, TypeError, IndexError, KeyError):
        return None


def _usual(text: str) -> datetime | None:
    found = _USUAL.match(text.lstrip())
    if not found or found[2].lower() not in _MONTHS:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes or 0))
    if offset >= _DAY:
        offset = timedelta()
    moment = datetime(
        _year(int(year)),
        _MONTHS[month.lower()],
        int(day),
        int(hour),
        int(minute),
        min(int(second or 0), 59),  # a leap second
        tzinfo=UTC,
    )
    return moment + offset if sign == "-" else moment - offset


def _unusual(text: str) -> datetime | None:
    """Two-digit years, names of zones, asctime's order, ISO 8601 …"""
    parsed = parsedate_tz(text)
    if parsed is None:
        iso = datetime.fromisoformat(text.strip())
        return (iso if iso.tzinfo else iso.replace(tzinfo=UTC)).astimezone(UTC)
    year, month, day, hour, minute, second, *_, offset = parsed
    moment = datetime(_year(year), month, day, hour, minute, min(second, 59), tzinfo=UTC)
    zone = timedelta(seconds=offset or 0)
    if not offset and (named := _ZONE.search(text)):
        zone = timedelta(hours=_ZONES.get(named[1], 0))
    return moment if abs(zone) >= _DAY or _UNSIGNED.search(text) else moment - zone


def _year(year: int) -> int:
    """The year that is meant: some programs wrote 0024, or 124 for the years since 1900 (§4.3)."""
    if year >= 1_000:
        return year
    if year < 2:  # 1 January 0001 is how a program says that it does not know
        raise ValueError(year)
    return year + (2_000 if year < 50 else 1_900)
