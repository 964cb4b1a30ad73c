"""Write the two tables about items: similar_items and item_embeddings."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.item_embeddings import item_embeddings_schema
from data_contracts.similar_items import BY_VECTORS, BY_WEIGHTS, similar_items_schema
from models.fitted_model import item_vectors, likens_items, rank_neighbours
from models.ranking.ranking import rank_items
from tasks.id_type import id_type
from tasks.judging.contender import Contender
from tasks.lists.content import ContentVectors
from tasks.snapshot.stamp import Stamp
from tasks.tables.table_file import TableWriter

_BLOCK = 8192  # items per written block of embeddings


def write_similar_items(
    path: Path,
    champion: Contender,
    content: ContentVectors | None,
    *,
    item_ids: pl.Series,
    available: np.ndarray,
    n_similar: int,
    stamp: Stamp,
) -> int:
    """Write the available items most similar to every item; return the rows.

    Items the champion knows are likened by its embeddings, or its weights where it has none;
    others, and all of them where the champion likens no items, by what the catalogue says.
    """
    rows = 0
    score = BY_VECTORS if item_vectors(champion.model) is not None else BY_WEIGHTS
    with TableWriter(path, similar_items_schema(id_type(item_ids), score)) as writer:
        for sources, items, scores, source in _neighbours(champion, content, available, n_similar):
            place, column = np.nonzero(items >= 0)
            frame = pl.DataFrame(
                {
                    "item_id": item_ids.gather(sources[place]),
                    "rank": (column + 1).astype(np.int32),
                    "similar_item_id": item_ids.gather(items[place, column]),
                    "score": scores[place, column],
                }
            ).with_columns(pl.lit(source).alias("source"), *stamp.columns())
            writer.write(frame)
            rows += frame.height
    return rows


def _neighbours(
    champion: Contender, content: ContentVectors | None, available: np.ndarray, n_similar: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, str]]:
    likened = champion.listable & likens_items(champion.model)
    for source, those in (("model", champion.known), ("content", ~champion.known)):
        sources = np.flatnonzero(likened & those)
        for block, items, scores in rank_neighbours(
            champion.model, k=n_similar, eligible=available & champion.listable, sources=sources
        ):
            yield sources[block], items, scores, source
    if content is None:
        return
    new = np.flatnonzero(content.known & ~likened)
    for block, items, scores in rank_items(
        content.V, k=n_similar, eligible=available & content.known, sources=new
    ):
        items[~(scores > 0)] = -1  # texts without a common word
        yield new[block], items, scores, "content"


def write_item_embeddings(
    path: Path, champion: Contender, *, item_ids: pl.Series, model_version: str
) -> int:
    """Write the unit vector of every known item; return the rows, none without vectors."""
    A, counts = champion.vectors, champion.counts
    if A is None:
        A = np.empty((len(item_ids), 1), dtype=np.float32)  # an empty table needs a width
        known = np.empty(0, dtype=np.int64)
    else:
        known = np.flatnonzero(champion.comparable)
    schema = item_embeddings_schema(id_type(item_ids), A.shape[1])
    with TableWriter(path, schema) as writer:
        for start in range(0, len(known), _BLOCK):
            items = known[start : start + _BLOCK]
            columns = {
                "item_id": item_ids.gather(items),
                "vector": pl.Series(A[items], dtype=pl.Array(pl.Float32, A.shape[1])),
                "n_interactions": counts[items],
            }
            version = pl.lit(model_version).alias("model_version")
            writer.write(pl.DataFrame(columns).with_columns(version))
    return len(known)
