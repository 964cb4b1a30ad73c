"""Days and moments of the log."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY_US = 86_400_000_000
"""Microseconds of a day."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def last_complete_day(moment: datetime, time_zone: str) -> date:
    """Return the day before a moment, in the log's time zone."""
    return moment.astimezone(ZoneInfo(time_zone)).date() - timedelta(days=1)


def micros(moment: datetime) -> int:
    """Return a moment in microseconds since 1970 in UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
