"""Judge the events of some days: each once, none of a bot, none of a file that was replaced.

Which events count depends on the rows of a day alone (of a log with event ids, on those of the
look-back days before it as well), and not on the nights that read them.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.errors import HoarfrostError
from data_contracts.interactions import day_start
from data_contracts.manifests import IngestManifest
from models.event.event_log import (
    Events,
    Files,
    Ordered,
    fates_by_file,
    in_order,
    repeats,
    rows_that_stand,
)
from tasks.calendar import DAY_US, micros
from tasks.ingest.bots import of_bots
from tasks.lake import Night, night_folder, shard_name

EVENT_COLUMNS = ("user", "item", "event_type", "timestamp", "file")


class Judged(NamedTuple):
    """What is left of one user shard."""

    rows: pl.DataFrame  # user, item (codes), event_type, timestamp, file, maybe value
    day: np.ndarray  # (n_rows,) their days, by place
    counts: np.ndarray  # (n_days, n_files, 4): replaced, filtered, repeated, kept
    told_again: np.ndarray  # (n_days,) repeats that a night had counted


class Days(NamedTuple):
    """Days to judge, and the nights that hold their rows."""

    first: date  # rows from here on take part
    wanted: np.ndarray  # (n_days,) bool: those to keep, from the first day on
    starts: np.ndarray  # (n_days + 1,) moments: where days begin, and where the last one ends
    nights: Sequence[IngestManifest]
    replaced: np.ndarray  # (n_files,) bool: a later night read the file anew


def days_to_judge(night: Night, past: Sequence[IngestManifest], days: Sequence[date]) -> Days:
    """Return what judging these days takes.

    Args:
        night: time zone, and whether events have ids.
        past: ingests of the nights inside the window, oldest first.
        days: some.
    """
    first = min(days) - timedelta(days=reach(night))
    n_days = (max(days) - first).days + 1
    every = [first + timedelta(days=k) for k in range(n_days + 1)]
    zone, known = night.config.interactions.time_zone, set(days)
    near = {day - timedelta(days=ago) for day in days for ago in range(reach(night) + 1)}
    nights = [each for each in past if any(not near.isdisjoint(f.days) for f in each.log_files)]
    gone = replaced_files(past)
    return Days(
        first=first,
        wanted=np.array([day in known for day in every[:-1]]),
        starts=np.array([micros(day_start(day, zone)) for day in every], np.int64),
        nights=nights,
        replaced=np.array(
            [(each.run_date, file.path) in gone for each in nights for file in each.log_files], bool
        ),
    )


def reach(night: Night) -> int:
    """Return how many days before an event decide whether it counts."""
    interactions = night.config.interactions
    return interactions.look_back_days + 1 if interactions.columns.event_id else 0


def replaced_files(past: Sequence[IngestManifest]) -> set[tuple[date, str]]:
    """Return run date and path of the files that a later night read anew."""
    later: set[str] = set()
    gone: set[tuple[date, str]] = set()
    for manifest in reversed(past):
        paths = {file.path for file in manifest.log_files}
        gone.update((manifest.run_date, path) for path in paths & later)
        later |= paths
    return gone


def judge_days(night: Night, days: Days, shard: int, item_order: np.ndarray) -> Judged:
    """Return the events of a user shard that count, by user, item and time.

    Args:
        night: event types and limits.
        days: which.
        shard: which user shard.
        item_order: place of every item code in the order of ids.

    Raises:
        HoarfrostError: the events of a night have made room (tasks.housekeeping).
    """
    rows = _read(night, days, shard)
    n_days, n_files = len(days.wanted), len(days.replaced)
    moment = rows["timestamp"].to_physical().to_numpy()
    day = np.searchsorted(days.starts, moment, side="right") - 1
    user, kind = rows["user"].to_numpy(), rows["event_type"].to_physical().to_numpy()
    events = Events(user, item_order.take(rows["item"].to_numpy()), kind, moment)
    order = in_order(events, int(user.max(initial=0)) + 1)
    source = (day * n_files + rows["file"].to_numpy()).astype(np.uint32)  # by day and file
    files = Files(source, np.tile(days.replaced, n_days))
    taken = rows_that_stand(order, files, int(days.starts[0]))
    repeated = _repeats(night, order, taken, rows)
    bots = of_bots(order, taken & ~repeated, night)
    kept, counts = fates_by_file(order, files, taken, repeated, bots)
    told = rows["rule"].is_null().to_numpy()
    again = order.row[repeated & told[order.row]]
    chosen = order.row[kept & days.wanted[day[order.row]]]
    return Judged(
        rows.drop("rule", "event_key", strict=False)[chosen],
        day[chosen],
        counts.reshape(n_days, n_files, 4),
        np.bincount(day[again], minlength=n_days),
    )


def _repeats(night: Night, order: Ordered, taken: np.ndarray, rows: pl.DataFrame) -> np.ndarray:
    interactions = night.config.interactions
    if not interactions.columns.event_id:
        return repeats(order, taken)
    key = rows["event_key"].to_numpy()[order.row]
    return repeats(order, taken, key, within=interactions.look_back_days * DAY_US)


def _read(night: Night, days: Days, shard: int) -> pl.DataFrame:
    """Return the stored rows of all nights that lie inside the days, files numbered throughout."""
    parts: list[pl.DataFrame] = []
    first = 0
    for manifest in days.nights:
        folder = night_folder(night.lake, manifest.run_date) / "ingest"
        path = folder / f"{shard_name(shard)}.parquet"
        if not path.is_file():
            raise HoarfrostError(
                f"the night of {manifest.run_date} must have its events in {folder}, got none: "
                "they made room (twice history.window_days); run that night again"
            )
        rows = pl.read_parquet(path, glob=False, hive_partitioning=False)
        moment = pl.col("timestamp").to_physical()
        inside = (moment >= int(days.starts[0])) & (moment < int(days.starts[-1]))
        file = pl.col("file") + pl.lit(first, pl.UInt32)
        parts.append(_with_columns(night, rows.filter(inside).with_columns(file)))
        first += len(manifest.log_files)
    rows = pl.concat(_of_one_kind(parts))
    if "value" not in rows.columns:
        return rows
    largest = np.argsort(-rows["value"].to_numpy(), kind="stable")  # of equal events that counts
    return rows[largest]


def _with_columns(night: Night, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the columns that the log has now; a night without some of them had none."""
    columns, more = night.config.interactions.columns, {}
    if columns.value:
        more["value"] = pl.lit(np.nan, pl.Float32)
    if columns.event_id:
        more["event_key"] = pl.lit(0, pl.UInt64)
    missing = {name: value for name, value in more.items() if name not in rows.columns}
    return rows.with_columns(**missing).select(*EVENT_COLUMNS, "rule", *more)


def _of_one_kind(parts: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Return the same rows, all with the same event types."""
    names = {name for rows in parts for name in kinds_of(rows["event_type"])}
    kind = pl.Enum(sorted(names))
    return [
        rows if rows.schema["event_type"] == kind
        else rows.with_columns(pl.col("event_type").cast(pl.String).cast(kind))
        for rows in parts
    ]  # fmt: skip


def kinds_of(event_type: pl.Series) -> list[str]:
    """Return the event types that a column may hold."""
    names: list[str] = event_type.dtype.categories.to_list()  # type: ignore[attr-defined]
    return names
