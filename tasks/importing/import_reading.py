"""Read a text file of foreign data in chunks of rows, every value as text."""

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pc

from data_contracts.errors import ContractViolationError
from data_contracts.import_source import TextTable
from tasks.importing.import_lines import FAULTS, Chunk, line_chunks
from tasks.importing.import_stream import MARK, open_text, unmarked

_BLOCK_BYTES = 2**23  # also the longest row
_MOST_BAD_ROWS = 4_000_000  # that are held at once: far more than two blocks of a sound file have
_SAMPLED_ROWS = 100  # whose keys are the columns of a file of JSON objects


def file_columns(path: Path, table: TextTable) -> list[str]:
    """Return the names of a file's columns; of JSON objects those of the first hundred.

    Raises:
        ConfigError: there is no such file.
        ContractViolationError: it cannot be read.
    """
    with open_text(path) as stream:
        if table.header:
            return list(table.header)
        if table.layout == "csv":
            return list(_open_csv(stream, table, [], lambda _: "skip").schema.names)
        plain = TextTable(separator="\n", header=("row",))
        chunks = line_chunks(stream, plain, ["row"], ["row"])
        lines = itertools.chain.from_iterable(chunk.rows["row"] for chunk in chunks)
        return list(dict.fromkeys(_keys(itertools.islice(lines, _SAMPLED_ROWS))))


def read_chunks(path: Path, table: TextTable, columns: Sequence[str]) -> Iterator[Chunk]:
    """Yield the rows of a file in order, bounded in memory; rows that are none as faults.

    Args:
        path: a text file, plain or compressed.
        table: how it is written.
        columns: what to read.

    Raises:
        ConfigError: there is no such file.
        ContractViolationError: it cannot be read to its end.
    """
    with open_text(path) as stream:
        if table.layout == "jsonl" or len(table.separator) > 1:
            yield from line_chunks(stream, table, columns, table.header)
        elif path.stat().st_size:
            yield from _csv_chunks(stream, table, columns)


def _csv_chunks(stream: BinaryIO, table: TextTable, columns: Sequence[str]) -> Iterator[Chunk]:
    bad: list[tuple[int, str]] = []  # row number, text; the reader is some rows ahead of us
    above = 1 if table.header else 2

    def skip(row: pc.InvalidRow) -> str:
        bad.append((row.number - above, unmarked(row.text)))
        return "skip" if len(bad) <= _MOST_BAD_ROWS else "error"

    start = 0
    try:
        for batch in _open_csv(stream, table, columns, skip):
            if not batch.num_rows:
                continue
            numbers = _row_numbers(start, batch.num_rows, [number for number, _ in bad])
            start = int(numbers[-1]) + 1
            n_passed = sum(number < start for number, _ in bad)
            rows = pl.DataFrame(batch).insert_column(0, pl.Series("row_number", numbers, pl.Int64))
            yield _judged(rows, table, _malformed(bad[:n_passed]))
            del bad[:n_passed]
    except pa.ArrowInvalid as error:
        if len(bad) <= _MOST_BAD_ROWS:
            raise
        raise ContractViolationError(
            f"rows must be of the named layout, got {len(bad)} in a row without a good one, from "
            f"row {bad[0][0]} on (counted from 0): is the separator {table.separator!r}?"
        ) from error
    yield Chunk(_no_rows(columns), _malformed(bad))


def _row_numbers(start: int, n_rows: int, bad: Sequence[int]) -> np.ndarray:
    """Return where good rows stand among all, shape (n_rows,): bad ones are not delivered.

    Args:
        start: number of the first row that is not accounted for.
        n_rows: good rows from there on.
        bad: numbers of bad rows from there on, in order.
    """
    before = np.asarray(bad, np.int64) - start - np.arange(len(bad))  # good rows above each
    good = np.arange(n_rows)
    return start + good + np.searchsorted(before, good, side="right")


def _judged(rows: pl.DataFrame, table: TextTable, faults: pl.DataFrame) -> Chunk:
    texts = pl.exclude("row_number")
    wrong = rows.select(pl.any_horizontal(texts.str.contains(MARK, literal=True))).to_series()
    if not wrong.any():
        return Chunk(rows, faults)
    plain = rows.with_columns(texts.str.replace_all(MARK, "", literal=True))
    if table.latin1:
        return Chunk(plain, faults)
    refused = plain.filter(wrong).select(
        "row_number",
        rule=pl.lit("invalid_text"),
        value=pl.lit(None, pl.String),
        original=pl.concat_str(texts, separator=table.separator, ignore_nulls=True),
    )
    return Chunk(rows.filter(~wrong), pl.concat([faults, refused]))


def _malformed(bad: Sequence[tuple[int, str]]) -> pl.DataFrame:
    rows = [(number, "malformed_row", None, text) for number, text in bad]
    return pl.DataFrame(rows, schema=FAULTS, orient="row")


def _no_rows(columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={"row_number": pl.Int64, **dict.fromkeys(columns, pl.String)})


def _open_csv(
    stream: BinaryIO, table: TextTable, columns: Sequence[str], on_bad: object = None
) -> pc.CSVStreamingReader:
    return pc.open_csv(
        stream,
        read_options=pc.ReadOptions(
            block_size=_BLOCK_BYTES, column_names=table.header or None, use_threads=False
        ),
        parse_options=pc.ParseOptions(
            delimiter=table.separator,
            quote_char='"' if table.quoted else False,
            newlines_in_values=table.quoted,
            invalid_row_handler=on_bad,
        ),
        convert_options=pc.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), include_columns=list(columns)
        ),
    )


def _keys(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield from value
