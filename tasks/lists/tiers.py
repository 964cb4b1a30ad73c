"""Fallback tiers: ranked lists of all items, for the places that the model leaves empty."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.manifests import MatrixManifest
from data_contracts.top_n import SOURCES as SOURCES
from models.popularity import add_popularity, ranked_items
from tasks.catalogue import read_catalogue
from tasks.history.history_event import counted_events, history_items
from tasks.history.history_shard import MOMENT, n_shards
from tasks.history.matrix_shard import load_shard
from tasks.lake import Night

logger = logging.getLogger(__name__)
MIN_SEGMENT_USERS = 50  # with history; below, a segment takes the list of everybody
GroupsOfShard = Callable[[int, pl.Series], np.ndarray]


class RankedLists(NamedTuple):
    """Ranked items of a tier and which of the lists a user takes, see models.ranking.fallback."""

    order: np.ndarray  # (n_lists, n_items) int32
    scores: np.ndarray  # (n_lists, n_items) float32
    row_order: np.ndarray  # (n_users,) int32


@dataclass(frozen=True)
class Tiers:
    """Ranked items of every tier; -1 and nan at the ends.

    The popular tiers rank what somebody met, so that items nobody met are left to content. Only
    newest ranks all items: whatever the rules leave out, it has the next one. Popular list 0 is
    everybody's; segments of fewer than MIN_SEGMENT_USERS users share it.
    """

    popular: np.ndarray  # (n_lists, n_items) int32
    weights: np.ndarray  # (n_lists, n_items) float32, of popular
    list_of_group: np.ndarray  # (n_groups,) int32
    newest: np.ndarray  # (1, n_items) int32
    age: np.ndarray  # (1, n_items) float32, of newest: 0 on the run date, -1 a day before

    def of(self, tier: str, group: np.ndarray) -> RankedLists:
        """Return the lists of a tier and which of them the users of these groups take.

        Args:
            tier: popular_in_segment, popular or newest.
            group: of every user, shape (n_users,).

        Raises:
            ValueError: it is another tier.
        """
        everybody = np.zeros(len(group), dtype=np.int32)
        match tier:
            case "popular_in_segment":
                return RankedLists(self.popular, self.weights, self.list_of_group[group])
            case "popular":
                return RankedLists(self.popular[:1], self.weights[:1], everybody)
            case "newest":
                return RankedLists(self.newest, self.age, everybody)
        raise ValueError(f"tier must be popular_in_segment, popular or newest, got {tier}")


def load_tiers(
    night: Night,
    matrices: MatrixManifest,
    item_ids: pl.Series,
    *,
    n_groups: int = 1,
    group_of_shard: GroupsOfShard | None = None,
) -> Tiers:
    """Return the tiers over tonight's items; 8 bytes per item and list.

    Args:
        night: whose histories and catalogue.
        matrices: tonight's.
        item_ids: of the vocabulary, then of items only the catalogue knows.
        n_groups: segments and 1 for users of none.
        group_of_shard: group of every user of a shard, given its number and their ids; by
            default all are of group 0.
    """
    groups = _groups(night, matrices, group_of_shard)
    list_of_group = _list_of_group(night, groups, n_groups)
    total = np.zeros((int(list_of_group.max()) + 1, len(item_ids)))
    for shard, group in enumerate(groups):
        X = load_shard(night.step("matrices"), shard).full
        add_popularity(total, X, list_of_group[group])
    popular, weights = ranked_items(np.where(total > 0, total, np.nan))
    newest, age = ranked_items(_days(night, item_ids)[None])
    logger.info("tiers: %d lists of %d items", len(total), len(item_ids))
    return Tiers(popular, weights, list_of_group, newest, age)


def _groups(
    night: Night, matrices: MatrixManifest, group_of_shard: GroupsOfShard | None
) -> list[np.ndarray]:
    groups = []
    for shard in range(matrices.n_shards):
        users = load_shard(night.step("matrices"), shard).users
        nobody = np.zeros(len(users), dtype=np.int32)
        groups.append(nobody if group_of_shard is None else group_of_shard(shard, users))
    return groups


def _list_of_group(night: Night, groups: list[np.ndarray], n_groups: int) -> np.ndarray:
    """Number the groups that are large enough from 1; the others take list 0."""
    sizes = np.zeros(n_groups, dtype=np.int64)
    for shard, group in enumerate(groups):
        met = np.diff(load_shard(night.step("matrices"), shard).full.indptr) > 0
        sizes += np.bincount(group[met], minlength=n_groups)
    large = sizes >= MIN_SEGMENT_USERS
    large[0] = False
    return np.where(large, np.cumsum(large), 0).astype(np.int32)


def _days(night: Night, item_ids: pl.Series) -> np.ndarray:
    """Return minus the age of every item in days, shape (n_items,) float32.

    What came after the run date came on it; an item without a date is a day older than all.
    """
    items = pl.DataFrame({"item_id": item_ids})
    for found in (_added(night, item_ids.dtype), _first_events(night)):
        items = items.join(found, on="item_id", how="left", maintain_order="left")
    age = pl.lit(night.run_date) - pl.coalesce("added", "first_event")
    whole = -age.dt.total_days().clip(lower_bound=0)
    days = items.select(whole.cast(pl.Float32)).to_series()
    oldest = days.fill_null(0.0).to_numpy().min(initial=0.0)
    return days.fill_null(oldest - 1.0).to_numpy()


def _added(night: Night, id_type: pl.DataType) -> pl.DataFrame:
    """Return item_id and added (day in the log's zone, or null) of the catalogue."""
    items = read_catalogue(night, only=("added",))
    if items.is_empty():
        return pl.DataFrame(schema={"item_id": id_type, "added": pl.Date})
    zone = night.config.interactions.time_zone
    day = pl.col("added").dt.convert_time_zone(zone).dt.date()
    return items.select(pl.col("item_id").cast(id_type), day)


def _first_events(night: Night) -> pl.DataFrame:
    """Return item_id and first_event (day in the log's zone), of the history's window."""
    zone = night.config.interactions.time_zone
    folder = night.step("history")
    items = history_items(folder)
    first = np.full(len(items), np.iinfo(np.int64).max)
    for shard in range(n_shards(folder)):
        events = counted_events(folder, shard).events
        np.minimum.at(first, events.item, events.moment)
    moment = pl.Series("first_event", first).cast(MOMENT)
    return pl.DataFrame([items, moment.dt.convert_time_zone(zone).dt.date()])
