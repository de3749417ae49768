"""How far clocks are from UTC in a zone that a calendar describes itself (RFC 5545 §3.6.5).

Outlook names zones as only Windows knows them, and describes each: two days of the year on which
clocks change. Of rules only such yearly ones are understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import MAXYEAR, datetime, timedelta
from typing import NamedTuple

_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?")
_ONSET = re.compile(r"\d{8}T\d{6}")
_UNTIL = re.compile(r"UNTIL=(\d{4})", re.IGNORECASE)
_BY_DAY = re.compile(r"([+-]?[1-5])(MO|TU|WE|TH|FR|SA|SU)")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Observance(NamedTuple):
    """Clocks are set so from a day on, in one year or each."""

    onset: datetime  # by the clock as it was before
    yearly: tuple[int, int, int] | None  # month, which of these days in it, day of the week
    last_year: int
    offset: timedelta  # what clocks show more than UTC

    @classmethod
    def read(cls, properties: Mapping[str, str]) -> Observance | None:
        """From a STANDARD or DAYLIGHT; None where it cannot be told."""
        offset = _OFFSET.fullmatch(properties.get("TZOFFSETTO", "").strip())
        onset = _ONSET.match(properties.get("DTSTART", "").strip())
        if offset is None or onset is None:
            return None
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3]), seconds=int(offset[4] or 0))
        try:
            begins = datetime.strptime(onset[0], "%Y%m%dT%H%M%S")  # noqa: DTZ007 - a clock
        except ValueError:
            return None
        rule = properties.get("RRULE", "")
        until = _UNTIL.search(rule)
        return cls(
            begins,
            _yearly(rule),
            int(until[1]) if until else MAXYEAR,
            -shift if offset[1] == "-" else shift,
        )

    def latest_before(self, local: datetime) -> datetime | None:
        """When clocks were set so last, before it was this time."""
        if self.yearly is None:
            return self.onset if self.onset <= local else None
        for year in (local.year, local.year - 1):
            begun = self._in(year)
            if begun is not None and begun <= local:
                return begun
        return None

    def _in(self, year: int) -> datetime | None:
        """The day in that year, where the rule holds."""
        if self.yearly is None or not self.onset.year <= year <= self.last_year:
            return None
        month, nth, weekday = self.yearly
        if nth > 0:
            first = self.onset.replace(year=year, month=month, day=1)
            day = first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
        else:
            after = self.onset.replace(year=year + month // 12, month=month % 12 + 1, day=1)
            last = after - timedelta(days=1)
            day = last - timedelta(days=(last.weekday() - weekday) % 7 + 7 * (-nth - 1))
        return day if day.month == month else None


def offset_at(observances: Sequence[Observance], local: datetime) -> timedelta | None:
    """How far from UTC clocks are that show this; None where the calendar does not tell."""
    begun = [
        (since, each.offset)
        for each in observances
        if (since := each.latest_before(local)) is not None
    ]
    if begun:
        return max(begun)[1]
    return observances[0].offset if len(observances) == 1 else None


def _yearly(rule: str) -> tuple[int, int, int] | None:
    """Month and day of `FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU`."""
    parts = dict(part.split("=", 1) for part in rule.strip().upper().split(";")[:20] if "=" in part)
    day = _BY_DAY.fullmatch(parts.get("BYDAY", ""))
    month = parts.get("BYMONTH", "")
    if day is None or not re.fullmatch(r"0?[1-9]|1[0-2]", month):
        return None
    return int(month), int(day[1]), _DAYS.index(day[2])
