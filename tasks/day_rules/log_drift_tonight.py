"""The run date's events, spread over random groups of users: what tells drift from chance."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.interactions import day_start
from tasks.day_rules.log_drift_days import Ingested, shard_events
from tasks.ingest.id_codes import item_codes, user_codes
from tasks.ingest.user_shards import shards_of
from tasks.lake import Night

N_GROUPS = 32  # of users


class Tonight(NamedTuple):
    """Counts of the run date's events; the tables have the shape (N_GROUPS, cells)."""

    cells: dict[str, np.ndarray]  # by name of a column of cells
    event_types: np.ndarray
    new_items: np.ndarray  # 2 cells: events on items met before, and on new ones
    users: int
    new_users: int


def count_tonight(
    night: Night,
    ingested: Sequence[Ingested],
    first: date,
    *,
    items: pl.DataFrame,
    event_types: Sequence[str],
) -> Tonight:
    """Return the counts of the run date's events, one user shard at a time.

    Args:
        night: its ingest is finished.
        ingested: nights whose events tell who was met before, this one the last.
        first: events of earlier days tell nothing.
        items: item_id, is_new, and columns of cells (integers; all others).
        event_types: in the order of their cells.
    """
    names = [name for name in items.columns if name not in ("item_id", "is_new")]
    sizes = {name: int(items[name].max() or 0) + 1 for name in names}  # type: ignore[arg-type]
    types = pl.DataFrame({"event_type": event_types, "type": range(len(event_types))})
    sums = {name: np.zeros((N_GROUPS, size), np.int64) for name, size in sizes.items()}
    by_type, new_items = (np.zeros((N_GROUPS, n), np.int64) for n in (len(event_types), 2))
    n_users = n_new = 0
    newest = ingested[-1]
    codes = item_codes(night.lake, newest.item_id_type).codes(items["item_id"])
    items = items.drop("item_id").with_columns(item=pl.Series(codes))
    for shard in range(newest.n_shards):
        events = shard_events(night, ingested[-1:], shard).filter(pl.col("day") == night.run_date)
        users = events.select(pl.col("user").unique()).collect(engine="streaming")
        ids = user_codes(night.lake, shard, newest.user_id_type).ids.gather(users["user"])
        users = users.with_columns(group=pl.Series(shards_of(ids, N_GROUPS)))
        cells = (
            events.join(users.lazy(), on="user")
            .join(items.lazy(), on="item")
            .join(types.lazy(), on="event_type")
            .select("group", "type", "is_new", *names)
            .collect(engine="streaming")
        )
        for name in names:
            sums[name] += _table(cells, name, sizes[name])
        by_type += _table(cells, "type", len(event_types))
        new_items += _table(cells, "is_new", 2)
        n_users += users.height
        n_new += users.height - _met(night, ingested, first, shard, users)
    return Tonight(sums, by_type, new_items, n_users, n_new)


def _table(events: pl.DataFrame, name: str, size: int) -> np.ndarray:
    place = events["group"].to_numpy() * size + events[name].cast(pl.Int64).to_numpy()
    return np.bincount(place, minlength=N_GROUPS * size).reshape(N_GROUPS, size)


def _met(
    night: Night, ingested: Sequence[Ingested], first: date, shard: int, users: pl.DataFrame
) -> int:
    """Return how many of some users have an event on a day before the run date."""
    zone = night.config.interactions.time_zone
    start, end = day_start(first, zone), day_start(night.run_date, zone)
    before = shard_events(night, ingested, shard).filter(
        pl.col("timestamp").is_between(start, end, closed="left")
    )
    met = before.join(users.lazy(), on="user", how="semi").select(pl.col("user").n_unique())
    return int(met.collect(engine="streaming").item())
