"""The vocabulary: item_id -> item index, append-only; an index never changes its meaning."""

import logging
from pathlib import Path

import polars as pl

from tasks.files import sync

logger = logging.getLogger(__name__)


def vocabulary_path(lake: Path) -> Path:
    """Where the vocabulary lies."""
    return lake / "state" / "vocabulary" / "vocabulary.parquet"


def read_vocabulary(lake: Path) -> pl.DataFrame:
    """Return item_id and item (int32, 0..n-1), in order of item."""
    return pl.read_parquet(vocabulary_path(lake))


def extend_vocabulary(lake: Path, item_ids: pl.Series) -> pl.DataFrame:
    """Append the ids that are new, in sorted order; return the whole vocabulary.

    Args:
        lake: whose vocabulary it is.
        item_ids: distinct ids.
    """
    path = vocabulary_path(lake)
    known = read_vocabulary(lake) if path.exists() else None
    new = (
        item_ids if known is None else item_ids.filter(~item_ids.is_in(known["item_id"].implode()))
    )
    ids = new.sort().alias("item_id")
    if known is not None:
        ids = pl.concat([known["item_id"], ids])
    vocabulary = pl.DataFrame(
        {"item_id": ids, "item": pl.int_range(len(ids), dtype=pl.Int32, eager=True)}
    )
    if known is None or len(new):
        _replace(path, vocabulary)
        logger.info("vocabulary: %d items, %d new", vocabulary.height, len(new))
    return vocabulary


def _replace(path: Path, vocabulary: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sibling = path.with_name(".vocabulary.new")
    vocabulary.write_parquet(sibling)
    sync(sibling)
    sibling.replace(path)
    sync(path.parent)
