"""One user shard of a history as it lies in the lake: arrays that are opened without being read.

Users are sorted by id and have their entries in order of item; items are places in the sorted
ids of all items of the history (items.parquet).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.history import history_schema
from models.event.event_log import Pairs
from tasks.lake import shard_name
from tasks.tables.table_file import check_table

ITEMS = "items.parquet"
USERS = "users.parquet"
MOMENT = pl.Datetime("us", "UTC")


class HistoryShard(NamedTuple):
    """Users and what they did with which items."""

    users: pl.Series  # sorted ids
    pairs: Pairs  # items are places in the history's items


def write_shard(folder: Path, shard: int, users: pl.Series, pairs: Pairs) -> dict[str, int]:
    """Write the files of one user shard; return their rows by path relative to the folder.

    Args:
        folder: of the history.
        shard: which one.
        users: sorted ids.
        pairs: of these users, in this order.
    """
    place = folder / shard_name(shard)
    place.mkdir()
    users.alias("user_id").to_frame().write_parquet(place / USERS, compression="lz4")
    arrays = {name: values for name, values in pairs._asdict().items() if values is not None}
    for name, values in arrays.items():
        np.save(place / f"{name}.npy", values, allow_pickle=False)
    rows = {f"{place.name}/{name}.npy": len(users) for name in arrays}
    return rows | {f"{place.name}/{USERS}": len(users)}


def name_items(folder: Path, ids: pl.Series, met: np.ndarray) -> None:
    """Write the ids of all items of a history; its shards then name items by place among them.

    Args:
        folder: of the history; items of its shards are places in ids.
        ids: sorted, also of items that the history does not hold.
        met: which it does hold, shape (n_ids,) bool.
    """
    ids.filter(pl.Series(met)).to_frame().write_parquet(folder / ITEMS, compression="lz4")
    places = (np.cumsum(met) - 1).astype(np.uint32)
    for path in folder.glob("shard-*/item.npy"):
        item = np.load(path, mmap_mode="r+", allow_pickle=False)
        item[:] = places[item]


def check_pairs(pairs: Pairs) -> None:
    """Hold the numbers of a user shard against the contract of the history.

    Raises:
        ContractViolationError: one breaks it.
    """
    schema = history_schema("string", "string").remove_columns(["user_id", "item_id"])
    check_table(schema, pl.DataFrame(_numbers(pairs, slice(None))))


def open_shard(folder: Path, shard: int) -> HistoryShard:
    """Return one user shard of a history, its arrays memory-mapped."""
    place = folder / shard_name(shard)
    users = pl.read_parquet(place / USERS)["user_id"]
    paths = ((name, place / f"{name}.npy") for name in Pairs._fields)
    arrays = {
        name: np.load(path, mmap_mode="r", allow_pickle=False)
        for name, path in paths
        if path.exists()
    }
    return HistoryShard(users, Pairs(**arrays))


def n_shards(folder: Path) -> int:
    """Return the number of user shards that lie in a folder."""
    return len(list(folder.glob(f"shard-*/{USERS}")))


def history_items(folder: Path) -> pl.Series:
    """Return the sorted ids of all items of a history."""
    return pl.read_parquet(folder / ITEMS)["item_id"]


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


def is_kept(folder: Path) -> bool:
    """Tell whether a history still has its files: those of old nights make room."""
    return (folder / ITEMS).is_file()


def of_user(folder: Path, user_id: str | int) -> pl.DataFrame:
    """Return the rows of one user that have a weight; none of a user it does not know."""
    items = history_items(folder)
    for number in range(n_shards(folder)):
        shard = open_shard(folder, number)
        place = shard.users.search_sorted(user_id) if len(shard.users) else 0
        if place < len(shard.users) and shard.users[place] == user_id:
            rows = as_table(shard, items, slice(place, place + 1))
            return rows.filter(pl.col("weight") > 0)
    return as_table(open_shard(folder, 0), items, slice(0, 0))


def users_of_item(folder: Path, item_id: str | int) -> int:
    """Return how many users have met an item with a weight."""
    found = (history_items(folder) == item_id).arg_true()
    if not len(found):
        return 0
    pairs = (open_shard(folder, number).pairs for number in range(n_shards(folder)))
    return sum(int(((each.item == found[0]) & (each.weight > 0)).sum()) for each in pairs)
