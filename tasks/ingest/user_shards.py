"""Spread rows over user shards, each an Arrow file written as the rows come."""

from pathlib import Path

import numpy as np
import polars as pl

from models.event.sharding import shards_of_integers, shards_of_strings
from tasks.ingest.bucket_writer import BucketWriter
from tasks.lake import shard_name
from tasks.string_bytes import string_bytes


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
    text, ends = string_bytes(users)
    return shards_of_strings(text, ends, n_shards=n_shards)
