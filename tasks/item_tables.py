"""Write the two tables about items: similar_items and item_embeddings."""

from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.item_embeddings import item_embeddings_schema
from data_contracts.similar_items import similar_items_schema
from models.ranking import rank_items
from tasks.id_type import id_type
from tasks.ranker import Ranker
from tasks.stamp import Stamp
from tasks.table_file import TableWriter

_BLOCK = 8192  # items per written block of embeddings


def write_similar_items(path: Path, ranker: Ranker, stamp: Stamp, *, n_similar: int) -> int:
    """Write the most similar available items of every known item; return the rows."""
    sources = np.flatnonzero(ranker.champion.known)
    rows = 0
    with TableWriter(path, similar_items_schema(id_type(ranker.item_ids))) as writer:
        for block, items, scores in rank_items(
            ranker.champion.model.A, k=n_similar, eligible=ranker.eligible,
            block_size=ranker.block_size, sources=sources,
        ):  # fmt: skip
            source, place = np.nonzero(items >= 0)
            frame = pl.DataFrame(
                {
                    "item_id": ranker.item_ids.gather(sources[block][source]),
                    "rank": (place + 1).astype(np.int32),
                    "similar_item_id": ranker.item_ids.gather(items[source, place]),
                    "score": scores[source, place],
                }
            ).with_columns(stamp.columns())
            writer.write(frame)
            rows += frame.height
    return rows


def write_item_embeddings(path: Path, ranker: Ranker, stamp: Stamp) -> int:
    """Write the unit vector of every known item; return the rows."""
    A, counts = ranker.champion.model.A, ranker.champion.counts
    known = np.flatnonzero(ranker.champion.known)
    schema = item_embeddings_schema(id_type(ranker.item_ids), A.shape[1])
    with TableWriter(path, schema) as writer:
        for start in range(0, len(known), _BLOCK):
            items = known[start : start + _BLOCK]
            columns = {
                "item_id": ranker.item_ids.gather(items),
                "vector": pl.Series(A[items], dtype=pl.Array(pl.Float32, A.shape[1])),
                "n_interactions": counts[items],
            }
            version = pl.lit(stamp.model_version).alias("model_version")
            writer.write(pl.DataFrame(columns).with_columns(version))
    return len(known)
