"""The reports of the nights before, as far as they can still be read."""

import logging
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from data_contracts.report import NightReport
from tasks.lake import night_folder, nights

logger = logging.getLogger(__name__)
REPORT = "report.json"


def earlier_reports(lake: Path, run_date: date, *, n: int = 28) -> list[NightReport]:
    """Return the reports of the last nights before a run date, oldest first.

    A report of an older version, or one that is damaged, is left out; one line of the log
    names all of them.

    Args:
        lake: its root.
        run_date: nights from here on are not read.
        n: most nights to look at.

    Raises:
        ValueError: n is not positive.
    """
    if n < 1:
        raise ValueError(f"n must be positive, got {n}")
    days = [day for day in nights(lake) if day < run_date]
    folders = {day: night_folder(lake, day) for day in days}
    last = [day for day in days if (folders[day] / REPORT).is_file()][-n:]
    read = {day: read_report(folders[day]) for day in last}
    if unread := [str(day) for day, report in read.items() if report is None]:
        logger.info(
            "report: %d earlier reports of another version left out of the trends: %s",
            len(unread), ", ".join(unread),
        )  # fmt: skip
    return [report for report in read.values() if report is not None]


def read_report(folder: Path) -> NightReport | None:
    """Return the report of a night's folder; None where there is none that can be read."""
    try:
        return NightReport.model_validate_json((folder / REPORT).read_bytes())
    except (OSError, ValidationError):
        return None
