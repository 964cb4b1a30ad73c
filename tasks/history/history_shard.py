"""One user shard of a history: what its events add up to, per user and item.

Users are sorted by id and have their entries in order of item; items are places in the sorted
ids of all items of the history (items.parquet).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.history import history_schema
from data_contracts.manifests import Weighing
from models.event.pair import Decay, Pairs, add_up
from tasks.calendar import DAY_US
from tasks.history.history_event import counted_events, history_items, history_manifest
from tasks.ingest.user_shards import shards_of
from tasks.tables.table_file import check_table

MOMENT = pl.Datetime("us", "UTC")
_WEIGHTS = ["weight", "weight_before_cut"]


class HistoryShard(NamedTuple):
    """Users and what they did with which items."""

    users: pl.Series  # sorted ids
    pairs: Pairs  # items are places in the history's items, or labels of these


def check_pairs(pairs: Pairs) -> None:
    """Hold the weights of a user shard against the contract of the history.

    Raises:
        ContractViolationError: one breaks it.
    """
    weights = {name: getattr(pairs, name) for name in _WEIGHTS}
    check_table(history_schema("string", "string").select_columns(_WEIGHTS), pl.DataFrame(weights))


def open_shard(folder: Path, shard: int, labels: np.ndarray | None = None) -> HistoryShard:
    """Return one user shard of a history, added up from its events as of the run date.

    Args:
        folder: of the history.
        shard: which.
        labels: other numbers for its items, shape (n_items,): entries bear them, and are in
            their order.
    """
    events, user_ids, value = counted_events(folder, shard)
    if labels is not None:
        events = events._replace(item=labels.take(events.item))
    decay = _decay(history_manifest(folder).weighing)
    pairs = add_up(events, len(user_ids), decay, value)
    sizes = np.diff(pairs.indptr)
    has = sizes > 0
    pairs = pairs._replace(indptr=np.concatenate(([0], np.cumsum(sizes[has]))))
    return HistoryShard(user_ids.filter(pl.Series(has)), pairs)


def _decay(weighing: Weighing) -> Decay:
    days = weighing.half_life_days
    weights = [weighing.events[name] for name in sorted(weighing.events)]
    return Decay(
        shares=np.array(weights) / weighing.max_weight,
        cap=weighing.max_weight,
        end=weighing.end,
        half_life=None if days is None else days * DAY_US,
        cut=weighing.cut,
        user_cap=weighing.max_user_weight,
    )


def n_shards(folder: Path) -> int:
    """Return the number of user shards of a history."""
    return history_manifest(folder).n_user_shards


def as_table(shard: HistoryShard, items: pl.Series, users: slice | None = None) -> pl.DataFrame:
    """Return a row per user and item (data_contracts.history), in order of both.

    Args:
        shard: of a history.
        items: its sorted ids.
        users: which ones, by place; by default all.
    """
    first, end, _ = (users or slice(None)).indices(len(shard.users))
    pairs, taken = shard.pairs, slice(int(shard.pairs.indptr[first]), int(shard.pairs.indptr[end]))
    user = np.repeat(np.arange(first, end), np.diff(pairs.indptr[first : end + 1]))
    return pl.DataFrame(
        [
            shard.users.gather(user).alias("user_id"),
            items.gather(pairs.item[taken]).alias("item_id"),
            *_numbers(pairs, taken),
        ]
    )


def _numbers(pairs: Pairs, taken: slice) -> list[pl.Series]:
    values = (
        [] if pairs.value is None else [pl.Series("value", pairs.value[taken], nan_to_null=True)]
    )
    return [
        pl.Series("weight", pairs.weight[taken]),
        pl.Series("weight_before_cut", pairs.weight_before_cut[taken]),
        pl.Series("first_seen", pairs.first_seen[taken]).cast(MOMENT),
        pl.Series("last_seen", pairs.last_seen[taken]).cast(MOMENT),
        pl.Series("n_events", pairs.n_events[taken]),
        *values,
    ]


def read_history(folder: Path) -> pl.DataFrame:
    """Return the rows of all user shards; for small histories."""
    items = history_items(folder)
    return pl.concat(as_table(open_shard(folder, n), items) for n in range(n_shards(folder)))


def of_user(folder: Path, user_id: str | int) -> pl.DataFrame:
    """Return the rows of one user that have a weight; none of a user it does not know."""
    users = pl.Series([user_id])
    shard = open_shard(folder, int(shards_of(users, n_shards(folder))[0]))
    place = shard.users.search_sorted(user_id) if len(shard.users) else 0
    known = place < len(shard.users) and shard.users[place] == user_id
    rows = as_table(shard, history_items(folder), slice(place, place + 1 if known else place))
    return rows.filter(pl.col("weight") > 0)


def users_of_item(folder: Path, item_id: str | int) -> int:
    """Return how many users have met an item with a weight."""
    found = (history_items(folder) == item_id).arg_true()
    if not len(found):
        return 0
    pairs = (open_shard(folder, number).pairs for number in range(n_shards(folder)))
    return sum(int(((each.item == found[0]) & (each.weight > 0)).sum()) for each in pairs)
