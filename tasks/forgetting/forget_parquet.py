"""Take the rows of forgotten people out of one Parquet file, and tell which files hold any."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.files import staged_path, sync
from tasks.forgetting.forgotten import Forgotten
from tasks.tables.table_file import parquet_writer

_NO_WORDS = ("rule", "source_file")  # of refused rows: written by us


class Sought(NamedTuple):
    """Whom to look for, and in which columns."""

    people: Forgotten
    user_columns: frozenset[str]
    words: bool = False  # also in every text: refused rows are kept as they came

    def hits(self, rows: pl.DataFrame) -> pl.Series:
        """Return for every row whether it names somebody forgotten."""
        found = pl.repeat(value=False, n=rows.height, eager=True)
        for name in rows.columns:
            column = rows[name]
            if name in self.user_columns and (column.dtype.is_integer() or _is_text(column.dtype)):
                found |= self.people.mask(column)
            elif self.words and name not in _NO_WORDS and _is_text(column.dtype):
                found |= self.people.mask_words(column.cast(pl.String))
        return found

    def columns(self, schema: pa.Schema) -> list[str]:
        """Return the columns to look at."""
        return [
            field.name
            for field in schema
            if field.name in self.user_columns or (self.words and _may_be_text(field.type))
        ]


class Staged(NamedTuple):
    """A file without them, beside the one with them."""

    path: Path  # to be moved over
    rows: int
    removed: int


def sought(people: Forgotten, user_column: str, *, words: bool = False) -> Sought:
    """Return what to look for where the log calls its users so."""
    names = {"user_id", user_column}
    return Sought(people, frozenset(names | {f"original_{name}" for name in names}), words)


def count_hits(path: Path, wanted: Sought) -> int:
    """Return how many rows of a file name somebody forgotten; a row group at a time."""
    with pq.ParquetFile(path) as file:
        columns = wanted.columns(file.schema_arrow)
        if not columns or not wanted.people:
            return 0
        return sum(
            int(wanted.hits(pl.DataFrame(file.read_row_group(group, columns=columns))).sum())
            for group in range(file.num_row_groups)
        )


def stage_without(path: Path, wanted: Sought) -> Staged | None:
    """Write a file without the rows of forgotten people beside it; None where it has none.

    The same library writes it as wrote the file, in the same way: what is left are the bytes
    that the other rows alone would have given, in state and tables.
    """
    removed = count_hits(path, wanted)
    if not removed:
        return None
    staged = staged_path(path)
    with pq.ParquetFile(path) as file:
        metadata, schema = file.metadata, file.schema_arrow
    if "polars" in (metadata.created_by or "").lower():
        rows = pl.read_parquet(path, glob=False, hive_partitioning=False)
        compression = metadata.row_group(0).column(0).compression
        kept = rows.filter(~wanted.hits(rows))
        kept.write_parquet(staged, compression="lz4" if "LZ4" in compression else "zstd")
    else:
        _write_groups(path, staged, schema, wanted)
    sync(staged)
    return Staged(path, metadata.num_rows - removed, removed)


def _write_groups(path: Path, staged: Path, schema: pa.Schema, wanted: Sought) -> None:
    with pq.ParquetFile(path) as file, parquet_writer(staged, schema) as writer:
        groups = range(file.num_row_groups)
        size = max(file.metadata.row_group(group).num_rows for group in groups)
        for rows in _of_size(_kept(file, wanted), size):
            writer.write_table(rows, row_group_size=size)


def _kept(file: pq.ParquetFile, wanted: Sought) -> Iterator[pa.Table]:
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group)
        columns = pl.DataFrame(rows.select(wanted.columns(rows.schema)))
        keep = (~wanted.hits(columns)).to_arrow()
        yield rows.filter(keep)


def _of_size(tables: Iterator[pa.Table], size: int) -> Iterator[pa.Table]:
    """Yield the same rows in tables of a size; only the last one may be shorter."""
    waiting: pa.Table | None = None
    for table in tables:
        waiting = table if waiting is None else pa.concat_tables([waiting, table])
        while waiting.num_rows >= size:
            yield waiting.slice(0, size)
            waiting = waiting.slice(size)
    if waiting is not None and waiting.num_rows:
        yield waiting


def _is_text(dtype: pl.DataType) -> bool:
    return dtype in (pl.String, pl.Categorical, pl.Enum)


def _may_be_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(value) or pa.types.is_large_string(value)
        or pa.types.is_string_view(value)
    )  # fmt: skip
