"""A few users with their history and their list, in words a person can judge."""

import polars as pl

from data_contracts.report import Recommendation, UserExample
from tasks.catalogue import read_catalogue
from tasks.lake import Night, shard_name
from tasks.surface_file import surface_path

N_USERS, N_HISTORY, N_TOP = 3, 5, 5


def user_examples(night: Night) -> tuple[UserExample, ...]:
    """Return the first users (by id) of the first shard that have a middling history.

    Their lists are those of the first surface.
    """
    name = f"{shard_name(0)}.parquet"
    rows = pl.read_parquet(night.step("history") / name).filter(pl.col("weight") > 0)
    sizes = rows.group_by("user_id").len().sort("len", "user_id", descending=[True, False])
    middling = sizes.slice(sizes.height // 4, N_USERS)["user_id"]
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
        recommendations=tuple(
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
            for row in top.iter_rows(named=True)
        ),
    )
