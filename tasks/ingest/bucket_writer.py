"""Spread rows over buckets, each an Arrow file written as the rows come."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
import pyarrow as pa
from pyarrow import ipc

_BUCKET = "_bucket"


class BucketWriter:
    """One open Arrow file per bucket that has rows; use it in a ``with`` statement."""

    def __init__(
        self, folder: Path, name: Callable[[int], str], *, block_rows: int | None = None
    ) -> None:
        self._folder, self._name, self._block_rows = folder, name, block_rows
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

    def write_to(self, bucket: pl.Expr | pl.Series, rows: pl.DataFrame) -> None:
        """Append every row to the file of its bucket, in order; its number tells the name."""
        parts = rows.with_columns(bucket.alias(_BUCKET)).partition_by(
            _BUCKET, as_dict=True, include_key=False
        )
        for (number,), part in parts.items():
            table = part.to_arrow(compat_level=pl.CompatLevel.oldest())
            writer = self._writer(int(number), table.schema)
            writer.write_table(table, max_chunksize=self._block_rows)

    def _writer(self, bucket: int, schema: pa.Schema) -> ipc.RecordBatchFileWriter:
        if bucket not in self._files:
            path = self._folder / f"{self._name(bucket)}.arrow"
            options = ipc.IpcWriteOptions(compression="lz4")
            writer = ipc.new_file(str(path), schema, options=options)
            self._files[bucket] = self._stack.enter_context(writer)
        return self._files[bucket]
