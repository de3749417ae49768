"""Which sets are kept: one of each of the last days, and one of each week for longer."""

from collections.abc import Iterable
from datetime import datetime, timedelta


def kept(made: Iterable[datetime], *, daily: int, days: int, now: datetime) -> set[datetime]:
    """The newest set of each of the last `daily` days that have one, and of each week of `days`.

    The newest of all is kept however old it is: no backup goes before there is another.
    """
    newest_first = sorted(made, reverse=True)
    keep = set(newest_first[:1])
    of_day: set[str] = set()
    of_week: set[str] = set()
    for moment in newest_first:
        day, week = moment.strftime("%Y-%m-%d"), moment.strftime("%G-%V")
        if day not in of_day and len(of_day) < daily:
            of_day.add(day)
            keep.add(moment)
        if week not in of_week and moment >= now - timedelta(days=days):
            of_week.add(week)
            keep.add(moment)
    return keep


def rolled_forward_from(made: Iterable[datetime], *, daily: int) -> datetime | None:
    """The oldest set whose WAL is kept: from it on, any moment can be brought back."""
    newest_first = sorted(made, reverse=True)
    days: list[str] = []
    oldest: datetime | None = None
    for moment in newest_first:
        day = moment.strftime("%Y-%m-%d")
        if day not in days:
            if len(days) == daily:
                break
            days.append(day)
        oldest = moment
    return oldest
