"""Find the files of the log that a night has to take."""

import glob
import logging
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from data_contracts.manifests import IngestManifest, LogFile, RefusedFile
from tasks.files import sha256_of
from tasks.lake import Night, night_folder, nights
from tasks.steps import read_manifest

logger = logging.getLogger(__name__)
LAYOUT = 1  # of ingested shards: events, the user rule they break or null, the place of their file
_MEANING = {"{date}": r"(?P<date>\d{4}-\d{2}-\d{2})", "*": "[^/]*", "?": "[^/]"}


class LogListing(NamedTuple):
    """What lies in the log for a night."""

    new: tuple[LogFile, ...]  # to be taken
    late: tuple[RefusedFile, ...]  # arrived after the look-back window
    has_run_date: bool  # there is a file for the run date, new or taken before


def list_log(night: Night) -> LogListing:
    """Return the files that no earlier night has taken as they are now, in order of day and path.

    A file that has changed since is new again: its rows take the place of those read before.
    """
    earlier = earlier_ingests(night)
    taken = {file.path: file.sha256 for manifest in earlier for file in manifest.log_files}
    known = _known_digests(night, earlier)
    forgotten = night.run_date - timedelta(days=night.config.history.window_days)
    first = _first_day(night, earlier)
    new: list[LogFile] = []
    late: list[RefusedFile] = []
    days = set()
    for path, partition in _find(night):
        if partition > night.run_date:
            continue
        days.add(partition)
        if partition <= forgotten and partition < first:
            continue  # no history would keep it
        if partition < first and _name(night, path) not in taken:  # late, whatever it holds:
            late.append(_late(night, path, partition, "arrived"))  # not read, night after night
            continue
        file = _describe(night, path, partition, known)
        if taken.get(file.path) == file.sha256:  # as the last night that took it found it
            continue
        if partition < first:
            late.append(_late(night, path, partition, "changed"))
        else:
            new.append(file)
    return LogListing(tuple(new), tuple(late), night.run_date in days)


def earlier_ingests(night: Night) -> list[IngestManifest]:
    """Return the ingest manifests of all earlier run dates, oldest first.

    A lake of an earlier version has none: its log is read again.
    """
    found = (
        read_manifest(night_folder(night.lake, day) / "ingest", IngestManifest)
        for day in nights(night.lake)
        if day < night.run_date
    )
    return [each for each in found if each is not None and each.layout == LAYOUT]


def log_path(night: Night, path: str) -> Path:
    """Return where a log file of a manifest lies."""
    return night.lake / path


def _first_day(night: Night, earlier: list[IngestManifest]) -> date:
    if not earlier:
        return night.run_date - timedelta(days=night.config.history.window_days - 1)
    look_back = night.run_date - timedelta(days=night.config.interactions.look_back_days)
    return min(look_back, earlier[-1].run_date + timedelta(days=1))


def _find(night: Night) -> Iterator[tuple[Path, date]]:
    files = Path(night.config.interactions.files)
    root = "" if files.is_absolute() else f"{night.lake}/"  # plain text, whatever stands in it
    parts = re.split(r"(\{date\}|\*|\?)", str(files))
    shape = re.compile(re.escape(root) + "".join(_MEANING.get(p, re.escape(p)) for p in parts))
    wanted = glob.escape(root) + str(files).replace("[", "[[]").replace("{date}", "????-??-??")
    for path in sorted(glob.glob(wanted)):  # noqa: PTH207
        found = shape.fullmatch(path)
        if found is None:
            continue
        try:
            partition = date.fromisoformat(found["date"])
        except ValueError:
            logger.warning("%s is left out: the calendar has no day %s", path, found["date"])
            continue
        yield Path(path), partition


def _describe(
    night: Night, path: Path, partition: date, known: dict[tuple[str, int, int], str]
) -> LogFile:
    name = _name(night, path)
    unread = LogFile(path=name, partition=partition, bytes=0, modified_ns=0, sha256="")
    if not path.is_file():  # a folder or a link to nowhere: the first pass refuses it
        return unread
    try:
        stat = path.stat()
        sha256 = known.get((name, stat.st_size, stat.st_mtime_ns)) or sha256_of(path)
    except OSError as error:  # nor can the first pass read it
        logger.warning("%s cannot be read: %s", path, error)
        return unread
    return LogFile(
        path=name,
        partition=partition,
        bytes=stat.st_size,
        modified_ns=stat.st_mtime_ns,
        sha256=sha256,
    )


def _name(night: Night, path: Path) -> str:
    return str(path.relative_to(night.lake)) if path.is_relative_to(night.lake) else str(path)


def _known_digests(night: Night, earlier: list[IngestManifest]) -> dict[tuple[str, int, int], str]:
    own = read_manifest(night.step("ingest"), IngestManifest)
    manifests = [*earlier, own] if own else earlier
    files = [file for manifest in manifests for file in manifest.log_files]
    return {(file.path, file.bytes, file.modified_ns): file.sha256 for file in files}


def _late(night: Night, path: Path, partition: date, what: str) -> RefusedFile:
    days = night.config.interactions.look_back_days
    kept = "; what was read of it before stays" if what == "changed" else ""
    return RefusedFile(
        path=_name(night, path),
        partition=partition,
        rule="too_late_file",
        reason=f"{what} more than {days} days after its day (interactions.look_back_days){kept}",
    )
