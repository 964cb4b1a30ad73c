"""Second pass over a night's log, one user shard at a time: duplicates and bots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.interactions import EVENT, USER_RULES, day_start, interactions_schema
from data_contracts.manifests import LogFile
from models.event.event_log import Events, Ordered, in_order, repeats
from tasks.calendar import DAY_US
from tasks.ingest.bots import of_bots
from tasks.ingest.id_codes import IdCodes
from tasks.ingest.log_reading import IdTypes
from tasks.lake import Night
from tasks.source.log_reader import ID_DTYPES
from tasks.tables.table_file import check_table


class Judged(NamedTuple):
    """What the second pass found in one shard."""

    faults: pl.DataFrame  # file, row_number, rule
    accepted: pl.DataFrame  # file, n (rows), late (rows)
    stored: pl.DataFrame  # file, day (of the event), n (rows that were written)


class Coded(NamedTuple):
    """The rows of one shard with codes in place of ids."""

    rows: pl.DataFrame  # file, row_number, timestamp, maybe more
    user: np.ndarray  # (n_rows,) codes
    events: Events  # users are places in the order of their ids, items are codes
    n_users: int  # that have a code


def code_shard(
    night: Night,
    path: Path,
    *,
    taken: Sequence[int],
    id_types: IdTypes,
    users: IdCodes,
    items: IdCodes,
) -> Coded:
    """Return the rows of one user shard; ids that were never met get codes.

    Args:
        night: configuration.
        path: what the first pass wrote of the shard.
        taken: places of the files whose days were taken.
        id_types: of users and items.
        users: codes of the shard's users; new ones are added.
        items: codes of the lake's items; new ones are added.
    """
    more = more_columns(night)
    rows = _read(path, taken, id_types, more)
    if "value" in rows.columns:  # of equal events the one with the largest counts
        rows = rows.sort("value", descending=True, maintain_order=True)
    check_table(interactions_schema(*id_types, night.config.events), rows.select(EVENT))
    user, kinds = users.codes(rows["user_id"]), _kinds(night)
    events = Events(
        user=users.order()[user],
        item=items.codes(rows["item_id"]),
        kind=rows["event_type"].cast(kinds.dtype).to_physical().to_numpy(),
        moment=rows["timestamp"].to_physical().to_numpy(),
    )
    rows = rows.select("file", "row_number", "timestamp", *more)
    return Coded(rows, user, events, len(users.ids))


def judge_shard(
    night: Night, coded: Coded, path: Path, *, files: Sequence[LogFile], taken: Sequence[int]
) -> Judged:
    """Write the rows of one user shard; return what was refused and counted.

    They are written in order of user, item and time. Repeats and bots are written too: the
    night that reads a file anew, or late, judges them again among the rows that are there then.

    Args:
        night: configuration and run date.
        coded: the rows.
        path: receives them.
        files: of the night, in the order of the first pass.
        taken: places of the files whose days were taken.
    """
    order = in_order(coded.events, coded.n_users)
    ordered = coded.rows[order.row]
    rule = _broken(order, ordered, night)
    ordered = ordered.with_columns(rule)
    ordered.select(
        pl.Series("user", coded.user[order.row]),
        pl.Series("item", order.item),
        _kinds(night).gather(order.kind),
        "timestamp",
        "rule",
        *more_columns(night),
        file=_places(ordered["file"], taken),
    ).write_parquet(path, compression="lz4")
    refused = ordered.filter(pl.col("rule").is_not_null())
    faults = refused.select("file", "row_number", pl.col("rule").cast(pl.String))
    good = ordered.filter(pl.col("rule").is_null())
    return Judged(faults, _count(good, files, night), _by_day(ordered, night))


def _kinds(night: Night) -> pl.Series:
    names = sorted(night.config.events)
    return pl.Series("event_type", names, dtype=pl.Enum(names))


def more_columns(night: Night) -> dict[str, pl.DataType]:
    """Return the columns of events beside the usual ones, where the log has them."""
    columns = night.config.interactions.columns
    value = {"value": pl.Float32()} if columns.value else {}
    return value | ({"event_key": pl.UInt64()} if columns.event_id else {})


def _broken(order: Ordered, rows: pl.DataFrame, night: Night) -> pl.Series:
    """Return the rule that every ordered row breaks, or null; a byte a row."""
    key = rows["event_key"].to_numpy() if "event_key" in rows.columns else None
    within = night.config.interactions.look_back_days * DAY_US
    repeated = repeats(order, np.ones(len(order.row), bool), key, within=within)
    bots = of_bots(order, ~repeated, night)
    names = list(USER_RULES)
    rules = pl.Series("rule", [*names, None], dtype=pl.Enum(names))
    broken = np.full(len(repeated), len(names), np.uint8)
    broken[bots], broken[repeated] = names.index("bot"), names.index("duplicate")
    return rules.gather(broken)


def _read(
    path: Path, taken: Sequence[int], id_types: IdTypes, more: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    if not path.exists():  # no user of this shard tonight
        ids = [ID_DTYPES[each] for each in id_types]
        event = (*ids, pl.String(), pl.Datetime("us", "UTC"))
        schema = dict(zip(EVENT, event, strict=True))
        return pl.DataFrame(
            schema=schema | dict(more) | {"row_number": pl.UInt32(), "file": pl.UInt32()}
        )
    rows = pl.read_ipc(path)
    refused = set(rows["file"].unique().to_list()) - set(taken)
    return rows.filter(~pl.col("file").is_in(refused)) if refused else rows


def _places(file: pl.Series, taken: Sequence[int]) -> pl.Series:
    """Return the place of every row's file in the manifest, which lists no others than those."""
    places = np.zeros(max(taken, default=0) + 1, np.uint32)
    places[list(taken)] = range(len(taken))
    return pl.Series(places[file.to_numpy()], dtype=pl.UInt32)


def _by_day(rows: pl.DataFrame, night: Night) -> pl.DataFrame:
    """Return how many rows of a file there are of every day of the log's zone."""
    day = pl.col("timestamp").dt.convert_time_zone(night.config.interactions.time_zone).dt.date()
    return rows.group_by("file", day.alias("day")).agg(n=pl.len())


def _count(good: pl.DataFrame, files: Sequence[LogFile], night: Night) -> pl.DataFrame:
    zone = night.config.interactions.time_zone
    starts = pl.DataFrame(
        {
            "file": pl.Series(range(len(files)), dtype=pl.UInt32),
            "start": pl.Series(
                [day_start(file.partition, zone) for file in files],
                dtype=pl.Datetime("us", "UTC"),
            ),
        }
    )
    late = (pl.col("timestamp") < pl.col("start")).sum()
    return good.join(starts, on="file").group_by("file").agg(n=pl.len(), late=late)
