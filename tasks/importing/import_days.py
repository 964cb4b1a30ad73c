"""Spread rows over the days of the log without holding them, then write one file per day."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc

from tasks.importing.import_rows import DAY
from tasks.ingest.bucket_writer import BucketWriter

_N_BUCKETS = 64  # of days: files that are open at once
_GROUP_ROWS = 131_072
_SPILL_ROWS = 65_536


class DaySpill(BucketWriter):
    """Files of rows by day modulo their number; use it in a ``with`` statement."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "{:03d}".format, block_rows=_SPILL_ROWS)
        self.days: dict[date, int] = {}
        """Day -> rows taken."""

    def write(self, rows: pl.DataFrame) -> None:
        """Take rows with their day, in order."""
        for day, n_rows in rows.group_by(DAY).len().iter_rows():
            self.days[day] = self.days.get(day, 0) + n_rows
        self.write_to(pl.col(DAY).to_physical() % _N_BUCKETS, rows)


def write_days(spill: Path, target: Path) -> dict[date, Path]:
    """Write one Parquet file per day; return them by day, oldest first.

    Rows keep their order, and the bytes depend on the rows alone.
    """
    target.mkdir(parents=True)
    files: dict[date, Path] = {}
    for bucket in sorted(spill.glob("*.arrow")):
        with ExitStack() as stack:
            open_days: dict[date, _DayFile] = {}
            for rows in _stored(bucket):
                parts = rows.partition_by(DAY, as_dict=True, include_key=False, maintain_order=True)
                for (day,), part in parts.items():
                    if day not in open_days:
                        files[day] = target / f"{day}.parquet"
                        open_days[day] = stack.enter_context(_DayFile(files[day]))
                    open_days[day].write(part)
        bucket.unlink()
    return dict(sorted(files.items()))


def _stored(bucket: Path) -> Iterator[pl.DataFrame]:
    with ipc.open_file(str(bucket)) as reader:
        for number in range(reader.num_record_batches):
            yield pl.DataFrame(pa.Table.from_batches([reader.get_batch(number)]))


class _DayFile:
    """One Parquet file whose row groups are of one size, however the rows come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[pl.DataFrame] = []
        self._n_waiting = 0
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, rows: pl.DataFrame) -> None:
        """Take rows; whole row groups go to the file."""
        self._waiting.append(rows)
        self._n_waiting += rows.height
        if self._n_waiting >= _GROUP_ROWS:
            self._flush(all_of_it=False)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and self._n_waiting:
            self._flush(all_of_it=True)
        if self._file is not None:
            self._file.close()

    def _flush(self, *, all_of_it: bool) -> None:
        rows = pl.concat(self._waiting)
        n_rows = rows.height if all_of_it else rows.height - rows.height % _GROUP_ROWS
        table = rows.head(n_rows).to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
        if self._file is None:
            self._file = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._file.write_table(table, row_group_size=_GROUP_ROWS)
        self._waiting = [rows.slice(n_rows)]
        self._n_waiting = rows.height - n_rows
