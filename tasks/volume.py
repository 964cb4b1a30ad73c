"""Is the run date's day there, and is it as large as usual?"""

from collections import Counter
from collections.abc import Sequence
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


def refuse_small_day(night: Night, ingests: Sequence[IngestManifest]) -> None:
    """Raise TooLittleDataError if the run date has no good row, or far fewer than usual.

    Args:
        night: run date and limits.
        ingests: of all nights up to this one, oldest first.
    """
    validation, day = night.config.validation, night.run_date
    volumes = _by_day(ingests)
    rows = volumes.pop(day, 0)
    if not rows:
        raise TooLittleDataError(f"the day {day} is empty: its files hold no good row")
    if rows < validation.min_rows:
        raise TooLittleDataError(
            f"the day {day} is too small: {rows} good rows, "
            f"at least {validation.min_rows} are needed (validation.min_rows)"
        )
    usual = median(volumes.values()) if len(volumes) >= _FEWEST_DAYS else 0
    if rows < validation.min_share_of_usual * usual:
        raise TooLittleDataError(
            f"the day {day} is suspiciously small: {rows} good rows are {rows / usual:.1%} of the "
            f"usual {usual:.0f}, at least {validation.min_share_of_usual:.0%} are expected "
            "(validation.min_share_of_usual)"
        )


def _by_day(ingests: Sequence[IngestManifest]) -> Counter[date]:
    """Return accepted rows by day; of a file that was read twice the newer ones."""
    files = {file.path: file for manifest in ingests for file in manifest.log_files}
    volumes: Counter[date] = Counter()
    for file in files.values():
        volumes[file.partition] += file.accepted
    return volumes
