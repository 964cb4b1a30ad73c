"""Days of the log."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo


def last_complete_day(moment: datetime, time_zone: str) -> date:
    """Return the day before a moment, in the log's time zone."""
    return moment.astimezone(ZoneInfo(time_zone)).date() - timedelta(days=1)
