"""Spread rows over user shards, each an Arrow file written as the rows come."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from models.sharding import shards_of_integers, shards_of_strings
from tasks.bucket_writer import BucketWriter
from tasks.lake import shard_name


class ShardWriter(BucketWriter):
    """One open Arrow file per user shard; use it in a ``with`` statement."""

    def __init__(self, folder: Path, n_shards: int) -> None:
        super().__init__(folder, shard_name)
        self._n_shards = n_shards

    def write(self, rows: pl.DataFrame) -> None:
        """Append rows to the files of their users' shards, in order."""
        self.write_to(pl.Series(shards_of(rows["user_id"], self._n_shards)), rows)


def shards_of(users: pl.Series, n_shards: int) -> np.ndarray:
    """Return the user shard of every user id, shape (n,) int32."""
    if users.dtype != pl.String:
        return shards_of_integers(users.to_numpy(), n_shards=n_shards)
    column = users.to_arrow(compat_level=pl.CompatLevel.oldest())
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    text = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return shards_of_strings(text, ends, n_shards=n_shards)
