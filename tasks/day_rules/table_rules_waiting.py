"""Days that a rule has set aside: they wait until one of their files or a setting changes."""

import logging
from collections.abc import Sequence
from datetime import date

from data_contracts.manifests import IngestManifest, LogFile, RefusedFile
from data_contracts.table_rules import RulesManifest, WaitingDay
from tasks.catalogue import catalogue_fingerprint
from tasks.files import digest, sync
from tasks.lake import Night, night_folder, nights
from tasks.source.log_files import LogListing
from tasks.steps import MANIFEST, read_manifest

logger = logging.getLogger(__name__)
STEP = "table_rules"
SET_ASIDE = "day_set_aside"


def leave_waiting(night: Night, listing: LogListing) -> LogListing:
    """Return a listing without the files of days that wait; those are refused with the reason.

    A day waits as long as its files and the settings that judge it are what they were; else it
    is read and judged again as a whole.
    """
    found = files_by_day(listing.new)
    known = days_set_aside(night, since=min(found)) if found else {}
    if not known:
        return listing
    settings = judging_settings(night)
    waiting = {
        day: each
        for day, each in known.items()
        if each.settings == settings and each.files == found.get(day)
    }
    late = [
        RefusedFile(
            path=file.path, partition=file.partition, rule=SET_ASIDE,
            reason=waiting[file.partition].reason,
        )
        for file in listing.new if file.partition in waiting
    ]  # fmt: skip
    for day, each in waiting.items():
        logger.warning("%s waits, %d files are not read: %s", day, len(each.files), each.reason)
    new = tuple(file for file in listing.new if file.partition not in waiting)
    return listing._replace(new=new, late=(*listing.late, *late))


def days_set_aside(night: Night, since: date) -> dict[date, WaitingDay]:
    """Return the days that this night or one before has set aside, as the last one that did.

    Args:
        night: later ones are not looked at.
        since: first night that is.
    """
    found: dict[date, WaitingDay] = {}
    for run_date in nights(night.lake):
        if since <= run_date <= night.run_date:
            manifest = read_manifest(night_folder(night.lake, run_date) / STEP, RulesManifest)
            found |= {each.day: each for each in (manifest.waiting if manifest else ())}
    return found


def days_left_out(night: Night, since: date) -> set[date]:
    """Return the days of earlier nights that none has taken: set aside, or their night stopped.

    Args:
        night: this night and later ones are not looked at.
        since: first night that is.
    """
    taken: dict[date, bool] = {}
    for run_date in nights(night.lake):
        if since <= run_date < night.run_date:
            folder = night_folder(night.lake, run_date)
            taken[run_date] = read_manifest(folder / "ingest", IngestManifest) is not None
            judged = read_manifest(folder / STEP, RulesManifest) if taken[run_date] else None
            if judged is not None:
                aside = {each.day for each in judged.waiting}
                taken |= {each.day: each.day not in aside for each in judged.outcomes}
    return {day for day, is_taken in taken.items() if not is_taken}


def undo_ingest(night: Night) -> None:
    """Make a night's ingest unfinished, so that no later night takes what it read for taken."""
    manifest = night.step("ingest") / MANIFEST
    manifest.unlink(missing_ok=True)
    sync(manifest.parent)


def wait_for(night: Night, day: date, files: Sequence[LogFile], reason: str) -> WaitingDay:
    """Return the record of a day that is set aside.

    Args:
        night: its settings are those that judged.
        day: the day of the files.
        files: of the night's ingest.
        reason: in words.
    """
    return WaitingDay(
        day=day, reason=reason, files=files_by_day(files).get(day, {}),
        settings=judging_settings(night),
    )  # fmt: skip


def files_by_day(files: Sequence[LogFile]) -> dict[date, dict[str, str]]:
    """Return the digest of every file, by day and path."""
    by_day: dict[date, dict[str, str]] = {}
    for file in files:
        by_day.setdefault(file.partition, {})[file.path] = file.sha256
    return by_day


def judging_settings(night: Night) -> str:
    """Return a digest of the settings that a day is judged by, and of the catalogue if it is."""
    config = night.config
    by_catalogue = config.validation.rules.unknown_items.severity == "quarantine"
    return digest(
        {
            "interactions": config.interactions.model_dump(mode="json"),
            "events": sorted(config.events),
            "validation": config.validation.model_dump(mode="json"),
            "catalogue": catalogue_fingerprint(night) if by_catalogue else None,
        }
    )
