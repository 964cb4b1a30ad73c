"""Keep what an import refuses: row, rule, value and original text, counted exactly."""

from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.files import sync
from tasks.importing.import_lines import FAULTS


class RefusedRows:
    """One Parquet file of refused rows; use it in a ``with`` statement."""

    def __init__(self, path: Path) -> None:
        self.counts: Counter[str] = Counter()
        """Rule -> rows."""
        self._path = path

    def __enter__(self) -> Self:
        schema = self._arrow(pl.DataFrame(schema=FAULTS)).schema
        self._file = pq.ParquetWriter(self._path, schema, compression="zstd")
        return self

    def write(self, faults: pl.DataFrame) -> None:
        """Take rows of row_number, rule, value and original."""
        if faults.height:
            self.counts.update(dict(faults["rule"].value_counts().iter_rows()))
            self._file.write_table(self._arrow(faults.sort("row_number")))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        sync(self._path)

    def _arrow(self, faults: pl.DataFrame) -> pa.Table:
        return faults.to_arrow(compat_level=pl.CompatLevel.oldest())
