"""What a night will have to do with, before any of it is read: footers, a sample, last night."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

import polars as pl

from data_contracts.manifests import Manifest, MatrixManifest
from data_contracts.plan import Expected, Range
from tasks.lake import Night, night_folder, nights
from tasks.source.log_files import earlier_ingests
from tasks.source.log_reader import FAILURES, FileShape, UnfitFileError, inspect_all
from tasks.source.log_source import LogSource
from tasks.source.log_store import log_place
from tasks.steps import read_manifest

logger = logging.getLogger(__name__)
_SAMPLE_ROWS = 2_000_000
M = TypeVar("M", bound=Manifest)


class Sample(NamedTuple):
    """Distinct users, items and pairs of the first rows."""

    rows: int = 0
    users: int = 0
    items: int = 0
    pairs: int = 0


def expect(night: Night) -> Expected:
    """Return rows of new files from their footers, and what they add to the last night's sizes.

    Of the new files a sample is read: what stands in it is there at least (but for rows that
    may be refused), and the rest adds at most as much in proportion. What falls out of the
    window is not counted, which is little.
    """
    whole, unreadable = _footers(night)
    sources, rows = [source for source, _ in whole], sum(rows for _, rows in whole)
    sample = _sample(night, sources)
    matrices = last_manifest(night, "matrices", MatrixManifest)
    before = {
        "users": matrices.n_users if matrices else 0,
        "items": matrices.n_items if matrices else 0,
        "interactions": matrices.n_interactions if matrices else 0,
    }
    good, share = 1.0 - night.config.validation.max_bad_share, rows / max(sample.rows, 1)
    new = {"users": sample.users, "items": sample.items, "interactions": sample.pairs}
    ranges = {
        name: Range(
            low=max(before[name], int(new[name] * good)),
            high=before[name] + min(int(new[name] * max(share, 1.0)), rows),
        )
        for name in before
    }
    log_mb = round(sum(source.stat().st_size for source in sources) / 1e6, 3)
    return Expected(
        files=len(sources), log_mb=log_mb, rows=rows, unreadable=tuple(unreadable), **ranges
    )


def new_files(night: Night) -> dict[date, dict[str, LogSource]]:
    """Return the log files that no earlier night took as they are now: day -> name -> file."""
    earlier = earlier_ingests(night)
    taken = {
        (file.path, file.bytes, file.modified_ns) for each in earlier for file in each.log_files
    }
    found: dict[date, dict[str, LogSource]] = {}
    first = _first_day(night, earlier[-1].run_date if earlier else None)
    for source, day in log_place(night).find(first, night.run_date):
        if not source.is_file():
            continue
        stat = source.stat()
        if (source.name, stat.st_size, stat.st_mtime_ns) not in taken:
            found.setdefault(day, {})[source.name] = source
    return dict(sorted(found.items()))


def _footers(night: Night) -> tuple[list[tuple[LogSource, int]], list[str]]:
    """Return every file that will be taken with its rows, and the names of those that cannot be.

    A day with an unreadable file waits as a whole, as it does when it is ingested.
    """
    found = new_files(night)
    sources = [source for files in found.values() for source in files.values()]
    n_at_once = log_place(night).n_at_once
    shapes = inspect_all(sources, night.config.interactions, n_at_once=n_at_once)
    by_name = dict(zip((source.name for source in sources), shapes, strict=True))
    unreadable = [name for name, shape in by_name.items() if isinstance(shape, UnfitFileError)]
    waits = {day for day, files in found.items() if files.keys() & set(unreadable)}
    whole = [
        (source, shape.rows)
        for day, files in found.items()
        for name, source in files.items()
        if day not in waits and isinstance(shape := by_name[name], FileShape)
    ]
    return whole, unreadable


def last_manifest(night: Night, step: str, kind: type[M]) -> M | None:
    """Return the manifest of a step from the newest earlier night that has one."""
    for day in reversed([each for each in nights(night.lake) if each < night.run_date]):
        manifest = read_manifest(night_folder(night.lake, day) / step, kind)
        if manifest is not None:
            return manifest
    return None


def _first_day(night: Night, last: date | None) -> date:
    """Return the first day whose files a night takes, as ingest does."""
    if last is None:
        return night.run_date - timedelta(days=night.config.history.window_days - 1)
    look_back = night.run_date - timedelta(days=night.config.interactions.look_back_days)
    return min(look_back, last + timedelta(days=1))


def _sample(night: Night, sources: Sequence[LogSource]) -> Sample:
    """Return counts of the first rows of the newest files; they are the likest to tonight."""
    columns = night.config.interactions.columns
    parts: list[pl.DataFrame] = []
    missing = _SAMPLE_ROWS
    for source in reversed(sources):
        try:
            rows = source.first_rows([columns.user_id, columns.item_id], missing).select(
                user=pl.col(columns.user_id).hash(), item=pl.col(columns.item_id).hash()
            )
            parts.append(rows.collect(engine="streaming"))
        except FAILURES as error:  # ingest refuses such a file, and says why
            logger.info("plan: %s tells nothing (%s)", source.name, type(error).__name__)
            continue
        missing -= parts[-1].height
        if missing <= 0:
            break
    if not parts:
        return Sample()
    rows_read = pl.concat(parts)
    pairs = rows_read.select(pl.struct("user", "item").n_unique()).item()
    return Sample(
        rows_read.height, rows_read["user"].n_unique(), rows_read["item"].n_unique(), pairs
    )
