"""Write one published table to one Parquet file, under its contract and with its descriptions."""

import json
from pathlib import Path
from types import TracebackType
from typing import Self

import pandera.polars as pandera
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.errors import ContractViolationError

_GROUP_ROWS = 131_072  # most rows of a row group
_GROUP_BYTES = 2**24  # roughly, where rows are wide


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

    Rows are collected into row groups of a size that depends on the contract only, so the
    bytes of the file depend on the rows and not on how they came in blocks. Each row group
    is checked against the contract before it is written. A file whose writing failed is
    removed.
    """

    def __init__(self, path: Path, schema: pandera.DataFrameSchema) -> None:
        self.rows = 0
        """Rows taken so far."""
        self._path = path
        self._schema = schema
        self._arrow = arrow_schema(schema)
        self._group = _rows_per_group(schema)
        self._waiting = _empty(schema)

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = pq.ParquetWriter(self._path, self._arrow, compression="zstd")
        return self

    def write(self, block: pl.DataFrame | pa.Table) -> None:
        """Take a block of rows.

        Raises:
            TypeError: the block is lazy; a contract checks the values of eager frames only.
            ContractViolationError: a row group that is full now breaks the contract.
        """
        if isinstance(block, pa.Table):
            block = pl.DataFrame(block)
        if not isinstance(block, pl.DataFrame):
            raise TypeError(f"a block must be an eager frame, got {type(block).__name__}")
        if block.schema != self._waiting.schema:
            check_table(self._schema, block)  # says what is wrong
        self._waiting.extend(block)
        self.rows += block.height
        while self._waiting.height >= self._group:
            self._flush(self._group)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        whole = False
        try:
            if kind is None:
                if self._waiting.height:
                    self._flush(self._waiting.height)
                whole = True
        finally:
            self._file.close()
            if not whole:
                self._path.unlink()

    def _flush(self, n_rows: int) -> None:
        group, self._waiting = self._waiting.head(n_rows), self._waiting.slice(n_rows)
        check_table(self._schema, group)
        table = group.to_arrow(compat_level=pl.CompatLevel.oldest())
        self._file.write_table(table.cast(self._arrow), row_group_size=n_rows)


def check_table(schema: pandera.DataFrameSchema, frame: pl.DataFrame) -> None:
    """Check an eager frame against a contract, values included.

    Raises:
        TypeError: the frame is lazy; then only names and types would be checked.
        ContractViolationError: a rule is broken; the message names rules and some values.
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
            f"{column or 'table'} breaks {check}, got {case}"
            for column, check, case in cases.rows()
        )
        raise ContractViolationError(f"{schema.name} must keep its contract: {broken}") from error


def _empty(schema: pandera.DataFrameSchema) -> pl.DataFrame:
    return pl.DataFrame(schema={name: column.dtype.type for name, column in schema.columns.items()})


def _rows_per_group(schema: pandera.DataFrameSchema) -> int:
    types = _empty(schema).schema.values()
    width = sum(4 * dtype.size if isinstance(dtype, pl.Array) else 8 for dtype in types)
    return max(1, min(_GROUP_ROWS, _GROUP_BYTES // width))
