"""Is the run date's day there, and is it as large as usual?"""

from collections.abc import Mapping, Sequence
from datetime import date
from statistics import median

from data_contracts.errors import TooLittleDataError
from data_contracts.manifests import IngestManifest
from tasks.lake import Night

_FEWEST_DAYS = 3  # of earlier volume, before a day can be called small


def refuse_missing_day(night: Night, *, has_files: bool) -> None:
    """Raise TooLittleDataError if there is no file for the run date."""
    if not has_files:
        where = night.config.interactions.files.replace("{date}", str(night.run_date))
        raise TooLittleDataError(
            f"the day {night.run_date} is missing: no file at {where} in {night.lake}; "
            "run the night again when the log has arrived"
        )


def refuse_small_day(
    night: Night, accepted: Mapping[date, int], earlier: Sequence[IngestManifest]
) -> None:
    """Raise TooLittleDataError if the run date has no good row, or far fewer than usual."""
    validation, day = night.config.validation, night.run_date
    rows = accepted.get(day, 0)
    if not rows:
        raise TooLittleDataError(f"the day {day} is empty: its files hold no good row")
    if rows < validation.min_rows:
        raise TooLittleDataError(
            f"the day {day} is too small: {rows} good rows, "
            f"at least {validation.min_rows} are needed (validation.min_rows)"
        )
    known = [manifest.accepted_by_day for manifest in earlier] + [accepted]
    volumes: dict[date, int] = {}
    for by_day in known:
        for other, count in by_day.items():
            volumes[other] = volumes.get(other, 0) + count
    volumes.pop(day)
    usual = median(volumes.values()) if len(volumes) >= _FEWEST_DAYS else 0
    if rows < validation.min_share_of_usual * usual:
        raise TooLittleDataError(
            f"the day {day} is suspiciously small: {rows} good rows are {rows / usual:.1%} of the "
            f"usual {usual:.0f}, at least {validation.min_share_of_usual:.0%} are expected "
            "(validation.min_share_of_usual)"
        )
