"""What accepted events add up to, day by day: kept by every night for those that come after it."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from data_contracts.id_type import IdType
from data_contracts.log_drift import LogDay
from data_contracts.manifests import IngestManifest
from tasks.ingest.id_codes import item_codes
from tasks.lake import Night, night_folder, shard_name

_TOTALS = (  # by which columns the counts of shards are summed, and which columns
    (("day", "event_type"), pl.col("n").sum()),
    (("day", "cell"), pl.col("users", "squares").sum()),
    (("day",), pl.col("newest").max()),
)
_EVENT = ("user", "item", pl.col("event_type").cast(pl.String), "timestamp")
ACTIVITY = (1, 2, 3, 4, 6, 10, 18, 34, 66)  # fewest events of a user in every cell


class Counted(NamedTuple):
    """Events of some days."""

    days: tuple[LogDay, ...]
    items: pl.DataFrame  # day, item_id, n


class Ingested(NamedTuple):
    """The part of a night's accepted events that no later night read anew."""

    run_date: date
    replaced: tuple[int, ...]  # places of its log files that hold another thing by now
    n_shards: int
    user_id_type: IdType
    item_id_type: IdType


def still_valid(ingests: Sequence[IngestManifest]) -> list[Ingested]:
    """Return for every night which of its files a later one has replaced.

    Args:
        ingests: of nights in their order.
    """
    found: list[Ingested] = []
    later: set[str] = set()
    for each in reversed(ingests):
        paths = [file.path for file in each.log_files]
        gone = tuple(place for place, path in enumerate(paths) if path in later)
        found.append(Ingested(
            each.run_date, gone, each.n_user_shards, each.user_id_type, each.item_id_type
        ))  # fmt: skip
        later.update(paths)
    return found[::-1]


def count_days(night: Night, ingested: Sequence[Ingested], first: date, scratch: Path) -> Counted:
    """Return what the accepted events of some nights add up to; one user shard at a time.

    Args:
        night: configuration and run date.
        ingested: what is counted, of at least one night.
        first: events of earlier days are left out.
        scratch: an empty folder for what is put together at the end; it is left empty.
    """
    small, parts = [], []
    for shard in range(ingested[-1].n_shards):
        items, *others = _count_shard(night, ingested, shard, first)
        small.append(others)
        parts.append(scratch / f"{shard_name(shard)}.parquet")
        items.write_parquet(parts[-1], compression="lz4")
    types, activity, newest = (
        pl.concat(frames).group_by(keys).agg(total)
        for frames, (keys, total) in zip(zip(*small, strict=True), _TOTALS, strict=True)
    )
    summed = pl.scan_parquet(parts).group_by("day", "item").agg(pl.col("n").sum())
    by_code = summed.collect(engine="streaming")
    ids = item_codes(night.lake, ingested[-1].item_id_type).ids
    items = by_code.select("day", ids.gather(by_code["item"]), "n").sort("day", "item_id")
    for part in parts:
        part.unlink()
    return Counted(_days(types, activity, newest), items)


def shard_events(night: Night, ingested: Sequence[Ingested], shard: int) -> pl.LazyFrame:
    """Return the events that some nights took of a user shard, with codes in place of ids.

    Columns user, item (tasks.ingest.id_codes), event_type, timestamp, and day in the log's zone.

    Args:
        night: configuration.
        ingested: of the nights, at least one.
        shard: which user shard.
    """
    name = f"{shard_name(shard)}.parquet"
    day = pl.col("timestamp").dt.convert_time_zone(night.config.interactions.time_zone).dt.date()
    parts = []
    for each in ingested:
        path = night_folder(night.lake, each.run_date) / "ingest" / name
        rows = pl.scan_parquet(path, hive_partitioning=False).filter(pl.col("rule").is_null())
        if each.replaced:
            rows = rows.filter(~pl.col("file").is_in(each.replaced))
        parts.append(rows.select(*_EVENT, day=day))
    return pl.concat(parts)


def _count_shard(
    night: Night, ingested: Sequence[Ingested], shard: int, first: date
) -> list[pl.DataFrame]:
    events = shard_events(night, ingested, shard).filter(pl.col("day") >= first)
    cell = pl.sum_horizontal(pl.col("n") >= fewest for fewest in ACTIVITY[1:]).cast(pl.UInt32)
    users = events.group_by("day", "user").agg(n=pl.len().cast(pl.Int64))
    wanted = [
        events.group_by("day", "item").agg(n=pl.len().cast(pl.Int64)),
        events.group_by("day", "event_type").agg(n=pl.len().cast(pl.Int64)),
        users.group_by("day", cell=cell).agg(
            users=pl.len().cast(pl.Int64), squares=(pl.col("n") ** 2).sum()
        ),
        events.group_by("day").agg(newest=pl.col("timestamp").max()),
    ]
    return pl.collect_all(wanted, engine="streaming")


def _days(types: pl.DataFrame, activity: pl.DataFrame, newest: pl.DataFrame) -> tuple[LogDay, ...]:
    last: dict[date, datetime] = dict(newest.sort("day").iter_rows())
    by_type: dict[date, dict[str, int]] = {day: {} for day in last}
    for day, name, n in types.sort("day", "event_type").iter_rows():
        by_type[day][name] = n
    cells = {day: [0] * len(ACTIVITY) for day in last}
    squares = dict.fromkeys(last, 0)
    for day, cell, n_users, square in activity.iter_rows():
        cells[day][cell] = n_users
        squares[day] += square
    return tuple(
        LogDay(
            day=day, events=sum(by_type[day].values()), squares=squares[day], newest=newest,
            event_types=by_type[day], activity=tuple(cells[day]),
        )
        for day, newest in last.items()
    )  # fmt: skip
