"""Flags that several commands share, and what they mean."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from data_contracts.config import NightlyConfig

Config = Annotated[Path, Parameter(help="configuration file")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="print JSON for scripts")]
Day = Annotated[datetime | None, Parameter(help="run date, YYYY-MM-DD; by default yesterday")]
DEFAULT_CONFIG = Path("hoarfrost.toml")


def run_date(day: datetime | None, config: NightlyConfig) -> date:
    """Return the day that was given, or yesterday in the time zone of the log."""
    from tasks.calendar import last_complete_day

    now = datetime.now().astimezone()
    return day.date() if day else last_complete_day(now, config.interactions.time_zone)
