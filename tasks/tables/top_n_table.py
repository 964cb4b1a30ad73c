"""Write the lists of a surface: top_n, and short_lists for those that could not be filled."""

from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.frozen import Frozen
from data_contracts.short_lists import short_lists_schema
from data_contracts.top_n import SHORT_REASONS, top_n_schema
from tasks.history.matrix_shard import MatrixShard
from tasks.id_type import id_type
from tasks.lists.ranker import Ranked, Ranker
from tasks.lists.rules import UserRules
from tasks.lists.tiers import SOURCES
from tasks.snapshot.stamp import Stamp
from tasks.tables.table_file import TableWriter


class ListsNote(Frozen):
    """Counts of what was written for one user shard."""

    rows: int
    users: int
    fallbacks: int  # lists without an item of the model
    short: int
    by_source: dict[str, int]  # rows


def write_lists(
    top_n: Path,
    short_lists: Path,
    *,
    shard: MatrixShard,
    users: UserRules,
    ranker: Ranker,
    stamp: Stamp,
) -> ListsNote:
    """Write the lists of one user shard, a block of users at a time; return the counts."""
    user_type, item_type = id_type(shard.users), id_type(ranker.item_ids)
    fallbacks = short = 0
    rows_by = np.zeros(len(SOURCES), dtype=np.int64)
    with (
        TableWriter(top_n, top_n_schema(user_type, item_type)) as lists,
        TableWriter(short_lists, short_lists_schema(user_type)) as shorter,
    ):
        for block, ranked in ranker.rank(shard.full, users, shard.users):
            lists.write(list_rows(shard.users[block], ranked, ranker.item_ids, stamp))
            shorter.write(short_rows(shard.users[block], ranked, stamp))
            short += int((ranked.reason >= 0).sum())
            fallbacks += int((ranked.own == 0).sum())
            rows_by += np.bincount(ranked.source[ranked.items >= 0], minlength=len(SOURCES))
    return ListsNote(
        rows=int(rows_by.sum()), users=len(shard.users), fallbacks=fallbacks, short=short,
        by_source=dict(zip(SOURCES, rows_by.tolist(), strict=True)),
    )  # fmt: skip


def list_rows(users: pl.Series, ranked: Ranked, item_ids: pl.Series, stamp: Stamp) -> pl.DataFrame:
    """Return one row per user and rank; padding is left out, so a short list stays short."""
    user, place = np.nonzero(ranked.items >= 0)
    because, share = ranked.because[user, place], ranked.share[user, place]
    explained = (because >= 0) & np.isfinite(share)
    return pl.DataFrame(
        {
            "user_id": users.gather(user),
            "rank": (place + 1).astype(np.int32),
            "item_id": item_ids.gather(ranked.items[user, place]),
            "score": ranked.scores[user, place],
            "source": _words(SOURCES, ranked.source[user, place]),
            "because_item_id": item_ids.gather(np.where(explained, because, 0)),
            "because_share": share,
            "short_reason": _words(SHORT_REASONS, ranked.reason[user]),
            "_explained": explained,
        }
    ).select(
        pl.col("user_id", "rank", "item_id", "score", "source"),
        pl.when("_explained").then("because_item_id").alias("because_item_id"),
        pl.when("_explained").then("because_share").alias("because_share"),
        "short_reason",
        *stamp.columns(),
    )


def short_rows(users: pl.Series, ranked: Ranked, stamp: Stamp) -> pl.DataFrame:
    """Return one row per user whose list is short."""
    short = np.flatnonzero(ranked.reason >= 0)
    return pl.DataFrame(
        {
            "user_id": users.gather(short),
            "n_items": (ranked.items[short] >= 0).sum(axis=1).astype(np.int32),
            "short_reason": _words(SHORT_REASONS, ranked.reason[short]),
        }
    ).with_columns(stamp.columns())


def _words(words: tuple[str, ...], codes: np.ndarray) -> pl.Series:
    """Return the word of every code, null for -1."""
    places = pl.Series(codes.astype(np.int64)).replace(-1, None)
    return pl.Series(words, dtype=pl.String).gather(places)
