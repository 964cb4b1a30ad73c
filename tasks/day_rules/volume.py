"""Is the run date's day there, and is it as large as usual?"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from statistics import median
from typing import NamedTuple

from data_contracts.errors import TooLittleDataError
from data_contracts.manifests import IngestManifest
from data_contracts.validation import VolumeRule
from tasks.lake import Night

_FEWEST_DAYS = 3  # of any weekday, before a day can be called small or large
_WINDOW = 28  # days before


class Usual(NamedTuple):
    """What a day is held against."""

    rows: float  # median
    days: str  # which, in words


def refuse_missing_day(night: Night, *, has_files: bool) -> None:
    """Raise TooLittleDataError if there is no file for the run date."""
    if not has_files:
        where = night.config.interactions.files.replace("{date}", str(night.run_date))
        raise TooLittleDataError(
            f"the day {night.run_date} is missing: no file at {where} in {night.lake}; "
            "run the night again when the log has arrived"
        )


def refuse_small_day(night: Night, ingests: Sequence[IngestManifest]) -> None:
    """Raise TooLittleDataError if the run date has no good row, or far fewer than usual.

    Args:
        night: run date and limits.
        ingests: of all nights up to this one, oldest first.
    """
    validation, day = night.config.validation, night.run_date
    volumes = good_rows(ingests)
    rows = volumes[day]
    if not rows:
        raise TooLittleDataError(f"the day {day} is empty: its files hold no good row")
    if rows < validation.min_rows:
        raise TooLittleDataError(
            f"the day {day} is too small: {rows} good rows, "
            f"at least {validation.min_rows} are needed (validation.min_rows)"
        )
    usual = usual_volume(volumes, day, validation.rules.volume)
    if usual is not None and rows < validation.min_share_of_usual * usual.rows:
        raise TooLittleDataError(
            f"the day {day} is suspiciously small: {rows} good rows are "
            f"{rows / usual.rows:.1%} of the usual {usual.rows:.0f} ({usual.days}), at least "
            f"{validation.min_share_of_usual:.0%} are expected (validation.min_share_of_usual)"
        )


def usual_volume(volumes: Counter[date], day: date, rule: VolumeRule) -> Usual | None:
    """Return the median of the same weekday in the last 28 days, or of all those days.

    Args:
        volumes: good rows by day; that of the day itself is not looked at.
        day: which is held against the others.
        rule: how many days of the weekday are enough.

    Returns:
        None where fewer than three days are known, or none of them has a row.
    """
    ago = {(day - each).days: rows for each, rows in volumes.items()}
    last = {days: rows for days, rows in ago.items() if 0 < days <= _WINDOW}
    same = [rows for days, rows in last.items() if days % 7 == 0]
    if len(same) >= rule.fewest_days:
        usual = Usual(median(same), f"median of {len(same)} {day:%A}s")
    elif len(last) >= _FEWEST_DAYS:
        usual = Usual(median(last.values()), f"median of {len(last)} days")
    else:
        return None
    return usual if usual.rows else None


def good_rows(ingests: Sequence[IngestManifest]) -> Counter[date]:
    """Return accepted rows by day; of a file that was read twice the newer ones.

    Args:
        ingests: of all nights up to one, oldest first.
    """
    files = {file.path: file for manifest in ingests for file in manifest.log_files}
    volumes: Counter[date] = Counter()
    for file in files.values():
        volumes[file.partition] += file.accepted
    return volumes


def first_volume_day(day: date) -> date:
    """Return the first of the days that a day is held against."""
    return day - timedelta(days=_WINDOW)
