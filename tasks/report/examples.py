"""A few users with their history and their list, in words a person can judge."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from data_contracts.report import Recommendation, UserExample
from tasks.catalogue import read_catalogue
from tasks.history.history_event import history_items
from tasks.history.history_shard import as_table, open_shard
from tasks.lake import Night
from tasks.tables.surface_file import surface_path

N_USERS, N_HISTORY, N_TOP = 3, 5, 5


def user_examples(night: Night) -> tuple[UserExample, ...]:
    """Return the first users (by id) of the first shard that have a middling history.

    Their lists are those of the first surface.
    """
    shard = open_shard(night.step("history"), 0)
    weighted = np.concatenate(([0], np.cumsum(shard.pairs.weight > 0)))[shard.pairs.indptr]
    sizes = np.diff(weighted)
    known = np.flatnonzero(sizes)
    by_size = known[np.argsort(-sizes[known], kind="stable")]  # of equal ones by id
    chosen = by_size[len(by_size) // 4 :][:N_USERS].tolist()
    items = history_items(night.step("history"))
    found = [as_table(shard, items, slice(user, user + 1)) for user in chosen]
    rows = pl.concat(found).filter(pl.col("weight") > 0) if found else pl.DataFrame()
    middling = shard.users[chosen]
    surface = next(iter(night.config.surfaces))
    lists = pl.read_parquet(night.step("materialise") / surface_path("top_n", surface, 0))
    titles = dict(read_catalogue(night, only=["title"]).select("item_id", "title").iter_rows())
    return tuple(_example(user, rows, lists, titles) for user in middling)


def _example(
    user: str | int, rows: pl.DataFrame, lists: pl.DataFrame, titles: dict[str | int, str | None]
) -> UserExample:
    liked = rows.filter(pl.col("user_id") == user).sort(
        "weight", "item_id", descending=[True, False]
    )
    top = lists.filter(pl.col("user_id") == user).sort("rank").head(N_TOP)
    return UserExample(
        user_id=user,
        history=tuple(titles.get(item) or str(item) for item in liked["item_id"].head(N_HISTORY)),
        recommendations=in_words(top, titles),
    )


def in_words(
    rows: pl.DataFrame, titles: Mapping[str | int, str | None]
) -> tuple[Recommendation, ...]:
    """Return rows of top_n with the titles of their items, in their order."""
    return tuple(
        Recommendation(
            rank=row["rank"],
            item_id=row["item_id"],
            title=titles.get(row["item_id"]),
            score=row["score"],
            source=row["source"],
            because_item_id=row["because_item_id"],
            because_title=titles.get(row["because_item_id"]),
            because_share=row["because_share"],
        )
        for row in rows.iter_rows(named=True)
    )
