"""Write one published table to one Parquet file, under its contract and with its descriptions."""

import contextlib
import json
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import pandera.polars as pandera
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.errors import ContractViolationError
from tasks.files import explained, move_file, staged_path

_GROUP_ROWS = 131_072  # most rows of a row group
_GROUP_BYTES = 2**24  # roughly, where rows are wide
_CHECKED_GROUPS = 4  # row groups checked at once: a check costs 25 ms however few the rows
_WAITING_BLOCKS = 2  # handed over and not yet written
_SORTED_BY = "user_id"  # where a table has it


def arrow_schema(schema: pandera.DataFrameSchema) -> pa.Schema:
    """Return the Arrow schema of a contract, with its descriptions as metadata.

    Every field carries its own description. The schema carries that of the table, and those
    of all columns as JSON, for readers that show only a file's key-value metadata.

    Raises:
        ValueError: the table or a column has no description.
    """
    columns = schema.columns
    descriptions = {name: column.description for name, column in columns.items()}
    described = {"the table": schema.description, **descriptions}
    missing = [name for name, text in described.items() if not text]
    if missing:
        raise ValueError(f"everything in a contract must be described, got nothing for {missing}")
    fields = _empty(schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    return pa.schema(
        [
            pa.field(
                field.name,
                pa.string() if pa.types.is_large_string(field.type) else field.type,
                nullable=columns[field.name].nullable,
                metadata={"description": descriptions[field.name]},
            )
            for field in fields
        ],
        metadata={"description": schema.description, "columns": json.dumps(descriptions)},
    )


class TableWriter:
    """Writes blocks of rows to one Parquet file; use it in a ``with`` statement.

    A thread of its own checks, encodes and writes, so the caller makes the next block
    meanwhile; it waits where that thread falls behind. Rows are collected into row groups of
    a size that depends on the contract only, so the bytes of the file depend on the rows and
    not on how they came in blocks. A table with a user_id must come sorted by it: then the
    statistics of row groups and pages lead to the few rows of one user.

    The file is staged beside its place and moved there, on the disk, when all is written;
    where anything fails there is no file.
    """

    def __init__(self, path: Path, schema: pandera.DataFrameSchema) -> None:
        self.rows = 0
        """Rows taken so far."""
        self._path = path
        self._schema = schema
        self._arrow = arrow_schema(schema)
        self._group = _rows_per_group(schema)
        self._waiting = _empty(schema)
        self._last: pl.Series | None = None  # user_id of the last row written

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._staged = staged_path(self._path)
        self._file = parquet_writer(self._staged, self._arrow)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="table-writer")
        self._pending: deque[Future[None]] = deque()
        return self

    def write(self, block: pl.DataFrame | pa.Table) -> None:
        """Take a block of rows; what is wrong with an earlier block may be raised here.

        Raises:
            TypeError: the block is lazy; a contract checks the values of eager frames only.
            ContractViolationError: rows break the contract or are not sorted.
            StorageError: the disk is full or may not be written.
        """
        if isinstance(block, pa.Table):
            block = pl.DataFrame(block)
        if not isinstance(block, pl.DataFrame):
            raise TypeError(f"a block must be an eager frame, got {type(block).__name__}")
        if block.schema != self._waiting.schema:
            check_table(self._schema, block)  # says what is wrong
        while len(self._pending) >= _WAITING_BLOCKS:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(self._take, block))
        self.rows += block.height

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                while self._pending:
                    self._pending.popleft().result()
                self._flush(self._waiting.height)
                with explained(self._path):
                    self._file.close()
                    move_file(self._staged, self._path)
        finally:
            self._thread.shutdown(cancel_futures=True)
            with contextlib.suppress(OSError, pa.ArrowException):  # a file that failed before
                self._file.close()
            self._staged.unlink(missing_ok=True)

    def _take(self, block: pl.DataFrame) -> None:
        self._waiting.extend(block)
        checked = _CHECKED_GROUPS * self._group
        while self._waiting.height >= checked:
            self._flush(checked)

    def _flush(self, n_rows: int) -> None:
        rows, self._waiting = self._waiting.head(n_rows), self._waiting.slice(n_rows)
        if not n_rows:
            return
        check_table(self._schema, rows)
        self._check_order(rows)
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        with explained(self._path):
            self._file.write_table(table.cast(self._arrow), row_group_size=self._group)

    def _check_order(self, rows: pl.DataFrame) -> None:
        if _SORTED_BY not in rows.columns:
            return
        ids = rows[_SORTED_BY]
        joined = ids if self._last is None else pl.concat([self._last, ids])
        self._last = ids.tail(1)
        if joined.is_sorted():
            return
        falls = (joined < joined.shift()).arg_true()
        raise ContractViolationError(  # ids of people stay out of messages
            f"{self._schema.name} must be sorted by {_SORTED_BY}, got {len(falls)} rows that "
            f"come after a larger one, the first in row {falls[0]} of {len(joined)} looked at"
        )


def check_table(schema: pandera.DataFrameSchema, frame: pl.DataFrame) -> None:
    """Check an eager frame against a contract, values included.

    Raises:
        TypeError: the frame is lazy; then only names and types would be checked.
        ContractViolationError: a rule is broken; the message names rules and some values, but
            no ids of people.
    """
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"only eager frames can be checked, got {type(frame).__name__}")
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases.group_by("column", "check", maintain_order=True).agg(
            pl.col("failure_case").first()
        )
        broken = "; ".join(
            f"{column or 'table'} breaks {check}, got {_shown(schema, column, check, case)}"
            for column, check, case in cases.rows()
        )
        raise ContractViolationError(f"{schema.name} must keep its contract: {broken}") from error


def _shown(schema: pandera.DataFrameSchema, column: str | None, check: str, case: object) -> object:
    """Return what may be told of a value: ids of people stay out of messages."""
    if _SORTED_BY not in schema.columns or check.startswith(("dtype", "not_nullable", "column_")):
        return case
    if column not in schema.columns:  # a check of the table: the case is a whole row
        return "a row that is not shown"
    return case if column != _SORTED_BY else "an id that is not shown"


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Return what writes a file as every published table is written."""
    place = schema.get_field_index(_SORTED_BY)
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        write_page_index=True,
        use_dictionary=[field.name for field in schema if not _holds_floats(field.type)],
        sorting_columns=[pq.SortingColumn(place)] if place >= 0 else None,
    )


def _holds_floats(kind: pa.DataType) -> bool:
    """Tell whether values hardly ever come twice, so that a dictionary only costs."""
    return pa.types.is_floating(getattr(kind, "value_type", kind))


def _empty(schema: pandera.DataFrameSchema) -> pl.DataFrame:
    return pl.DataFrame(schema={name: column.dtype.type for name, column in schema.columns.items()})


def _rows_per_group(schema: pandera.DataFrameSchema) -> int:
    types = _empty(schema).schema.values()
    width = sum(4 * dtype.size if isinstance(dtype, pl.Array) else 8 for dtype in types)
    return max(1, min(_GROUP_ROWS, _GROUP_BYTES // width))
