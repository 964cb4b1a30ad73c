"""Ingest a night's log: keep good rows per user shard, quarantine the rest, or stop the night."""

import functools
import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from data_contracts.errors import (
    ContractViolationError,
    HoarfrostError,
    TooLittleDataError,
)
from data_contracts.forgetting import FORGOTTEN
from data_contracts.manifests import IngestManifest, LogFile, RefusedFile
from tasks.day_rules.table_rules_waiting import SET_ASIDE, leave_waiting
from tasks.day_rules.volume import refuse_missing_day, refuse_small_day
from tasks.forgetting.forgotten import refuse_half_forgotten
from tasks.ingest.id_codes import IdCodes, item_codes, user_codes
from tasks.ingest.log_reading import ReadLog, read_log
from tasks.ingest.shard_count import shard_count
from tasks.ingest.user_rules import Coded, Judged, code_shard, judge_shard
from tasks.lake import Night, quarantine_folder, shard_name
from tasks.plain_error import told
from tasks.quarantine.quarantine import write_quarantine
from tasks.shard_threads import in_two_steps
from tasks.source.log_files import LAYOUT, LogListing, earlier_ingests, list_log
from tasks.source.log_reader import FAILURES
from tasks.steps import entries, run_step

logger = logging.getLogger(__name__)


class Examined(NamedTuple):
    """What a night's log holds."""

    manifest: IngestManifest
    faults: dict[str, pl.DataFrame]  # row_number and rule of bad rows by file
    codes: tuple[IdCodes, ...]  # of items and users, with the new ones, not saved yet


def ingest(night: Night) -> IngestManifest:
    """Return the manifest of the night's accepted rows.

    Files of days that a rule has set aside are left out (see tasks.day_rules.table_rules).

    Raises:
        TooLittleDataError: the run date's day is missing, empty or suspiciously small.
        ContractViolationError: the run date's day was refused, or too many rows are bad.
        ConfigError: the number of user shards is not that of earlier nights.
        HoarfrostError: people were to be forgotten and that was cut short.
    """
    refuse_half_forgotten(night.lake)
    listing = leave_waiting(night, list_log(night))
    refuse_missing_day(night, has_files=listing.has_run_date)
    return run_step(
        night,
        "ingest",
        IngestManifest,
        settings=_settings(night, listing),
        work=functools.partial(_ingest, night, listing),
    )


def _settings(night: Night, listing: LogListing) -> dict[str, object]:
    config = night.config
    return {
        "files": [(file.path, str(file.partition), file.sha256) for file in listing.new],
        "late": [file.path for file in listing.late],
        "interactions": config.interactions.model_dump(mode="json"),
        "events": sorted(config.events),
        "validation": config.validation.model_dump(exclude={"rules"}),  # a step of its own
        "shards": shard_count(night, listing),
    }


def _ingest(night: Night, listing: LogListing, staging: Path, key: str) -> IngestManifest:
    found = examine(night, listing, staging, key)
    unfit = _quarantine(night, found)
    if unfit:
        found = examine(night, listing, staging, key, unfit=unfit)
        _write_faults(night, found)
    refuse(night, found)
    for table in found.codes:  # before the manifest, which makes the shards count
        table.save()
    return found.manifest


def _quarantine(night: Night, found: Examined) -> dict[str, str]:
    """Write the refused rows; return files of which they cannot be read whole, and why.

    Judging reads four columns of a file, quarantine all of them.
    """
    try:
        _write_faults(night, found)
    except FAILURES as error:
        troubles = {path: _trouble(night, path, rows) for path, rows in found.faults.items()}
        unfit = {path: reason for path, reason in troubles.items() if reason is not None}
        if not unfit or "os error" in str(error):  # the disk, and not the log
            raise
        return unfit
    return {}


def _write_faults(night: Night, found: Examined) -> None:
    manifest = found.manifest
    write_quarantine(night, found.faults, manifest.refused_files, manifest.log_files)


def _trouble(night: Night, path: str, rows: pl.DataFrame) -> str | None:
    try:
        write_quarantine(night, {path: rows}, [])
    except FAILURES as error:
        reason = told(error).splitlines()[0]
        return f"its bad rows cannot be read with all their columns ({reason})"
    return None


def examine(
    night: Night,
    listing: LogListing,
    staging: Path,
    key: str,
    *,
    unfit: Mapping[str, str] = MappingProxyType({}),
) -> Examined:
    """Judge every row of the listed files; accepted rows go to staging, one file per user shard.

    Args:
        night: run date and configuration.
        listing: of the night's files.
        staging: receives the shards.
        key: of the step.
        unfit: files that are known to be unreadable, and why.
    """
    earlier = earlier_ingests(night)
    expected = (earlier[-1].user_id_type, earlier[-1].item_id_type) if earlier else None
    raw = staging / "raw"
    shards = range(shard_count(night, listing))
    read = read_log(night, listing.new, raw, expected, unfit, n_shards=len(shards))
    judged, codes = _judge_shards(night, listing.new, read, raw, staging, shards)
    shutil.rmtree(raw)
    faults = merge_faults(listing.new, read, judged)
    manifest = _manifest(night, key, listing, read, judged, faults, staging)
    logger.info(
        "ingest: %d of %d rows accepted from %d files, quarantined %s",
        manifest.accepted, manifest.rows, len(read.rows), manifest.quarantined or "none",
    )  # fmt: skip
    return Examined(manifest, faults, codes)


def refuse(night: Night, found: Examined) -> None:
    """Stop the night if its own day was refused, too much is bad, or too little is there.

    Raises:
        ContractViolationError: the run date's day was refused, or too many rows are bad.
        TooLittleDataError: the run date's day is empty or suspiciously small.
    """
    _refuse_run_date(night, found.manifest.refused_files)
    _refuse_bad_share(night, found.manifest, found.faults)
    known = [*earlier_ingests(night), found.manifest]
    set_aside = [file.partition for file in found.manifest.refused_files if file.rule == SET_ASIDE]
    if night.run_date in set_aside:
        _refuse_nothing(night, known)
    else:
        refuse_small_day(night, known)


def _judge_shards(
    night: Night,
    files: Sequence[LogFile],
    read: ReadLog,
    raw: Path,
    staging: Path,
    shards: Sequence[int],
) -> tuple[list[Judged], tuple[IdCodes, ...]]:
    taken = [number for number, file in enumerate(files) if file.path in read.rows]
    items = item_codes(night.lake, read.id_types[1])
    users = [user_codes(night.lake, shard, read.id_types[0]) for shard in shards]

    def code(shard: int) -> Coded:  # one after the other: shards share the items
        path, types = raw / f"{shard_name(shard)}.arrow", read.id_types
        return code_shard(
            night, path, taken=taken, id_types=types, users=users[shard], items=items
        )  # fmt: skip

    def judge(shard: int, coded: Coded) -> Judged:
        path = staging / f"{shard_name(shard)}.parquet"
        return judge_shard(night, coded, path, files=files, taken=taken)

    judged = in_two_steps(code, judge, len(shards), "looking for duplicates and bots")
    return judged, (items, *users)


def merge_faults(
    files: Sequence[LogFile], read: ReadLog, judged: Sequence[Judged]
) -> dict[str, pl.DataFrame]:
    """Return row_number and rule of every refused row, by file."""
    late_found = pl.concat([part.faults for part in judged])
    by_file = late_found.partition_by("file", as_dict=True, include_key=False)
    merged = dict(read.faults)
    for (number,), rows in by_file.items():
        path = files[number].path
        merged[path] = pl.concat([merged[path], rows])
    return merged


def _manifest(
    night: Night,
    key: str,
    listing: LogListing,
    read: ReadLog,
    judged: Sequence[Judged],
    faults: Mapping[str, pl.DataFrame],
    staging: Path,
) -> IngestManifest:
    refused = (*read.refused, *listing.late)
    counts = pl.concat([part.accepted for part in judged]).group_by("file").sum()
    accepted = dict(counts.select("file", "n").iter_rows())
    stored = pl.concat([part.stored for part in judged]).group_by("file", "day").sum()
    days = stored.partition_by("file", as_dict=True, include_key=False)
    files = tuple(
        _counted(
            file.model_copy(update={"days": _by_day(days.get((number,)))}),
            read.rows[file.path],
            accepted.get(number, 0),
            faults[file.path],
        )
        for number, file in enumerate(listing.new)
        if file.path in read.rows
    )
    quarantined: Counter[str] = Counter()
    for file in files:
        quarantined.update(file.by_rule)
    quarantined.update(each.rule for each in refused)
    by_day: Counter[date] = Counter()
    for file in files:
        by_day[file.partition] += file.accepted
    shards = {
        f"{shard_name(n)}.parquet": int(part.stored["n"].sum()) for n, part in enumerate(judged)
    }
    return IngestManifest(
        step="ingest", run_date=night.run_date, key=key, files=entries(staging, shards),
        log_files=files, refused_files=refused,
        user_id_type=read.id_types[0], item_id_type=read.id_types[1],
        n_user_shards=len(judged),
        rows=sum(read.rows.values()), accepted=sum(accepted.values()),
        quarantined=dict(sorted(quarantined.items())), accepted_by_day=dict(by_day),
        late_rows=counts["late"].sum(), layout=LAYOUT,
    )  # fmt: skip


def _by_day(rows: pl.DataFrame | None) -> dict[date, int]:
    """Return how many rows of a file there are of every day, in order."""
    return {} if rows is None else dict(sorted(rows.select("day", "n").iter_rows()))


def _counted(file: LogFile, rows: int, accepted: int, faults: pl.DataFrame) -> LogFile:
    """Return the file with its counts.

    Raises:
        HoarfrostError: some rows were neither accepted nor quarantined.
    """
    if rows != accepted + faults.height:
        raise HoarfrostError(
            f"every row of {file.path} must be accepted or quarantined, got {rows} rows, of which "
            f"{accepted} accepted and {faults.height} quarantined; it may have been written to "
            "meanwhile: run the night again"
        )
    by_rule = sorted(faults["rule"].value_counts().iter_rows())
    return file.model_copy(
        update={
            "rows": rows,
            "accepted": accepted,
            "quarantined": faults.height,
            "by_rule": dict(by_rule),
        }
    )


def _refuse_run_date(night: Night, refused: Sequence[RefusedFile]) -> None:
    for file in refused:
        if file.partition == night.run_date and file.rule not in ("day_waits", SET_ASIDE):
            raise ContractViolationError(
                f"the day {night.run_date} is refused: {file.path} {file.reason}; mend or remove "
                "the file and run the night again. The last snapshot stays as it is"
            )


def _refuse_nothing(night: Night, known: Sequence[IngestManifest]) -> None:
    if not any(manifest.accepted for manifest in known):
        raise TooLittleDataError(
            f"the day {night.run_date} is set aside by a rule and no other day is known, so there "
            f"is nothing to train on: mend the day, or widen the limit (see 'hoarfrost quarantine')"
        )


def _refuse_bad_share(
    night: Night, manifest: IngestManifest, faults: Mapping[str, pl.DataFrame]
) -> None:
    validation = night.config.validation
    bad = sum((rows["rule"] != FORGOTTEN).sum() for rows in faults.values())
    share = bad / max(manifest.rows, 1)
    most = validation.max_bad_rows
    if share <= validation.max_bad_share and (most is None or bad <= most):
        return
    worst = max(faults, key=lambda path: faults[path].height)
    rules = ", ".join(f"{rule} {count}" for rule, count in manifest.quarantined.items())
    raise ContractViolationError(
        f"{bad} of {manifest.rows} rows are bad ({share:.1%}), more than validation.max_bad_share "
        f"{validation.max_bad_share:.1%} or max_bad_rows {most} allow: {rules}. Most lie in "
        f"{worst} ({faults[worst].height}). See {quarantine_folder(night.lake, night.run_date)}"
    )
