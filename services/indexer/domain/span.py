"""Dates as people type them, as spans of time where they live."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_DATE = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[tT]\d{2}:\d{2}(?::\d{2})?(?:[zZ]|[+-]\d{2}:?\d{2})?")
_EPOCH = re.compile(r"\d{9,11}")
_AGE = re.compile(r"(\d{1,5})([hdwmy])", re.IGNORECASE)
_AGE_HOURS = {"h": 1, "d": 24, "w": 24 * 7, "m": 24 * 30, "y": 24 * 365}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment, which belongs to it, to another, which does not."""

    begin: datetime
    end: datetime


def read_span(text: str, now: datetime, zone: tzinfo) -> Span | None:
    """A day, month, year, moment or age; None where it is none of these.

    `2026-01-31`, `2026-01`, `2026`, `2026-01-31T10:00`, `today`, `yesterday`, a day of the week
    (the last one, today included), an age as `7d`, or seconds since 1970.
    """
    value = text.strip().casefold()
    if found := _DATE.fullmatch(value):
        return _of_calendar(*(int(part) if part else None for part in found.groups()), zone=zone)
    if _MOMENT.fullmatch(value):
        return _moment(value, zone)
    if _EPOCH.fullmatch(value):
        return _point(datetime.fromtimestamp(int(value), UTC))
    if (span := span_of_age(value, now)) is not None:
        return span
    today = now.astimezone(zone).date()
    if value in ("today", "yesterday"):
        return _days(today - timedelta(days=value == "yesterday"), 1, zone)
    named = [day for day, name in enumerate(_WEEKDAYS) if value in (name, name[:3])]
    return (
        _days(today - timedelta(days=(today.weekday() - named[0]) % 7), 1, zone) if named else None
    )


def span_of_age(text: str, now: datetime) -> Span | None:
    """The time since `12h`, `3d`, `2w`, `6m` (of 30 days) or `1y` ago; None where it is no age."""
    found = _AGE.fullmatch(text.strip())
    if found is None:
        return None
    try:
        begin = now - timedelta(hours=int(found[1]) * _AGE_HOURS[found[2].casefold()])
    except OverflowError:
        begin = _FIRST
    return Span(begin, _LAST)


def _of_calendar(
    year: int | None, month: int | None, day: int | None, *, zone: tzinfo
) -> Span | None:
    try:
        first = date(year or 0, month or 1, day or 1)
    except ValueError:
        return None
    if day is not None:
        return _days(first, 1, zone)
    if month is not None:
        after = first.replace(day=28) + timedelta(days=4) if first < date(9999, 12, 1) else None
        return Span(_at(first, zone), _at(after.replace(day=1), zone) if after else _LAST)
    following = first.replace(year=first.year + 1) if first.year < 9999 else None
    return Span(_at(first, zone), _at(following, zone) if following else _LAST)


def _days(first: date, count: int, zone: tzinfo) -> Span:
    try:
        return Span(_at(first, zone), _at(first + timedelta(days=count), zone))
    except OverflowError:
        return Span(_at(first, zone), _LAST)


def _moment(value: str, zone: tzinfo) -> Span | None:
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    return _point(_in_utc(moment if moment.tzinfo else moment.replace(tzinfo=zone)))


def _point(moment: datetime) -> Span:
    second = timedelta(seconds=1)
    return Span(moment, moment + second if moment < _LAST - second else _LAST)


def _at(day: date, zone: tzinfo) -> datetime:
    """When a day begins there."""
    return _in_utc(datetime.combine(day, time(), zone))


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # at an end of the calendar
        return _FIRST if moment.year == 1 else _LAST
