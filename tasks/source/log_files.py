"""Find the files of the log that a night has to take."""

import logging
from datetime import date, timedelta
from typing import NamedTuple

from data_contracts.manifests import IngestManifest, LogFile, RefusedFile
from tasks.lake import Night, night_folder, nights
from tasks.source.log_source import Known, LogSource
from tasks.source.log_store import log_place
from tasks.steps import read_manifest

logger = logging.getLogger(__name__)
LAYOUT = 3  # of ingested shards, and of what their manifests tell


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
    since = min(forgotten + timedelta(days=1), first)  # of older days no history would keep a row
    for source, partition in log_place(night).find(since, night.run_date):
        days.add(partition)
        if partition < first and source.name not in taken:  # late, whatever it holds:
            late.append(_late(night, source.name, partition, "arrived"))  # unread night after night
            continue
        file = _describe(source, partition, known)
        if taken.get(file.path) == file.sha256:  # as the last night that took it found it
            continue
        if partition < first:
            late.append(_late(night, source.name, partition, "changed"))
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


def _first_day(night: Night, earlier: list[IngestManifest]) -> date:
    if not earlier:
        return night.run_date - timedelta(days=night.config.history.window_days - 1)
    look_back = night.run_date - timedelta(days=night.config.interactions.look_back_days)
    return min(look_back, earlier[-1].run_date + timedelta(days=1))


def _describe(source: LogSource, partition: date, known: Known) -> LogFile:
    unread = LogFile(path=source.name, partition=partition, bytes=0, modified_ns=0, sha256="")
    if not source.is_file():  # a folder or a link to nowhere: the first pass refuses it
        return unread
    try:
        stat = source.stat()
        sha256 = source.fingerprint(stat, known)
    except OSError as error:  # nor can the first pass read it
        logger.warning("%s cannot be read: %s", source.name, error)
        return unread
    return LogFile(
        path=source.name,
        partition=partition,
        bytes=stat.st_size,
        modified_ns=stat.st_mtime_ns,
        sha256=sha256,
    )


def _known_digests(night: Night, earlier: list[IngestManifest]) -> Known:
    own = read_manifest(night.step("ingest"), IngestManifest)
    manifests = [*earlier, own] if own else earlier
    files = [file for manifest in manifests for file in manifest.log_files]
    return {(file.path, file.bytes, file.modified_ns): file.sha256 for file in files}


def _late(night: Night, name: str, partition: date, what: str) -> RefusedFile:
    days = night.config.interactions.look_back_days
    kept = "; what was read of it before stays" if what == "changed" else ""
    return RefusedFile(
        path=name,
        partition=partition,
        rule="too_late_file",
        reason=f"{what} more than {days} days after its day (interactions.look_back_days){kept}",
    )
