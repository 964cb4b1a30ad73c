"""Spread rows over user shards, each an Arrow file written as the rows come."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import ipc

from models.sharding import shards_of_integers, shards_of_strings
from tasks.lake import shard_name


class ShardWriter:
    """One open Arrow file per user shard; use it in a ``with`` statement."""

    def __init__(self, folder: Path, n_shards: int) -> None:
        self._folder, self._n_shards = folder, n_shards
        self._files: dict[int, ipc.RecordBatchFileWriter] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def write(self, rows: pl.DataFrame) -> None:
        """Append rows to the files of their users' shards, in order."""
        shard = pl.Series("shard", shards_of(rows["user_id"], self._n_shards))
        for (number,), part in (
            rows.with_columns(shard).partition_by("shard", as_dict=True, include_key=False).items()
        ):
            table = part.to_arrow(compat_level=pl.CompatLevel.oldest())
            self._file(int(number), table.schema).write_table(table)

    def _file(self, shard: int, schema: pa.Schema) -> ipc.RecordBatchFileWriter:
        if shard not in self._files:
            path = self._folder / f"{shard_name(shard)}.arrow"
            options = ipc.IpcWriteOptions(compression="lz4")
            writer = ipc.new_file(str(path), schema, options=options)
            self._files[shard] = self._stack.enter_context(writer)
        return self._files[shard]


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
