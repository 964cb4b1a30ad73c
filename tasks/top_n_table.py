"""Write the top_n table: one file per user shard, rows in order of user and rank."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.top_n import top_n_schema
from tasks.id_type import id_type
from tasks.matrix import MatrixShard
from tasks.ranker import Ranked, Ranker
from tasks.stamp import Stamp
from tasks.table_file import TableWriter


class Lists(NamedTuple):
    """Counts of what was written."""

    rows: int
    users: int
    fallbacks: int
    short: int


def write_top_n(path: Path, shard: MatrixShard, ranker: Ranker, stamp: Stamp) -> Lists:
    """Write the lists of one user shard, a block of users at a time; return the counts."""
    schema = top_n_schema(id_type(shard.users), id_type(ranker.item_ids))
    rows = fallbacks = short = 0
    with TableWriter(path, schema) as writer:
        for block, ranked in ranker.rank(shard.full):
            frame = block_frame(shard.users[block], ranked, ranker.item_ids, stamp)
            writer.write(frame)
            rows += frame.height
            fallbacks += int((~ranked.by_model).sum())
            short += int(((ranked.items >= 0).sum(axis=1) < ranker.n_top).sum())
    return Lists(rows, len(shard.users), fallbacks, short)


def block_frame(
    users: pl.Series, ranked: Ranked, item_ids: pl.Series, stamp: Stamp
) -> pl.DataFrame:
    """Return one row per user and rank; padding is left out, so a short list stays short."""
    user, place = np.nonzero(ranked.items >= 0)
    because, share = ranked.because[user, place], ranked.share[user, place]
    explained = (because >= 0) & np.isfinite(share)
    source = np.where(ranked.by_model[user], "model", "popular")
    return pl.DataFrame(
        {
            "user_id": users.gather(user),
            "rank": (place + 1).astype(np.int32),
            "item_id": item_ids.gather(ranked.items[user, place]),
            "score": ranked.scores[user, place],
            "source": pl.Series(source, dtype=pl.String),
            "because_item_id": item_ids.gather(np.where(explained, because, 0)),
            "because_share": share,
            "_explained": explained,
        }
    ).select(
        pl.col("user_id", "rank", "item_id", "score", "source"),
        pl.when("_explained").then("because_item_id").alias("because_item_id"),
        pl.when("_explained").then("because_share").alias("because_share"),
        *stamp.columns(),
    )
