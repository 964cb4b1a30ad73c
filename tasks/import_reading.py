"""Read a text file of foreign data in chunks of rows, every value as text."""

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pc

from data_contracts.errors import ConfigError, ContractViolationError
from data_contracts.import_source import TextTable
from tasks.import_lines import FAULTS, Chunk, line_chunks

_BLOCK_BYTES = 2**23  # also the longest row
_SAMPLED_ROWS = 100  # whose keys are the columns of a file of JSON objects


def file_columns(path: Path, table: TextTable) -> list[str]:
    """Return the names of a file's columns; of JSON objects those of the first hundred.

    Raises:
        ConfigError: there is no such file.
        ContractViolationError: it cannot be read.
    """
    if table.header:
        return list(table.header)
    if not path.is_file():
        raise ConfigError(f"{path} must be a file, got none there: mend the path")
    try:
        with _open(path) as stream:
            if table.layout == "csv":
                return list(_open_csv(stream, table, [], lambda _: "skip").schema.names)
            chunks = line_chunks(stream, TextTable(layout="csv", separator="\n"), ["row"], ["row"])
            lines = itertools.chain.from_iterable(chunk.rows["row"] for chunk in chunks)
            return list(dict.fromkeys(_keys(itertools.islice(lines, _SAMPLED_ROWS))))
    except StopIteration:
        return []
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def read_chunks(path: Path, table: TextTable, columns: Sequence[str]) -> Iterator[Chunk]:
    """Yield the rows of a file in order, bounded in memory; rows that are none as faults.

    Args:
        path: a text file, plain or compressed (.gz, .bz2, .zst, .lz4).
        table: how it is written.
        columns: what to read.

    Raises:
        ContractViolationError: the file cannot be read to its end.
    """
    try:
        with _open(path) as stream:
            if table.layout == "jsonl" or len(table.separator) > 1:
                yield from line_chunks(stream, table, columns, table.header)
            elif path.stat().st_size:
                yield from _csv_chunks(stream, table, columns)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _csv_chunks(stream: pa.NativeFile, table: TextTable, columns: Sequence[str]) -> Iterator[Chunk]:
    bad: list[tuple[int, str]] = []  # row number, text
    above = 1 if table.header else 2

    def skip(row: pc.InvalidRow) -> str:
        bad.append((row.number - above, row.text))
        return "skip"

    reader = _open_csv(stream, table, columns, skip)
    start = told = 0
    for batch in reader:
        if not batch.num_rows:
            continue
        numbers = _row_numbers(start, batch.num_rows, [number for number, _ in bad])
        start += batch.num_rows
        passed = sum(number < numbers[-1] for number, _ in bad[told:])
        yield _decoded(pl.DataFrame(batch), numbers, table, bad[told : told + passed])
        told += passed
    yield Chunk(_no_rows(columns), _malformed(bad[told:]))


def _row_numbers(start: int, n_rows: int, bad: Sequence[int]) -> np.ndarray:
    """Return where good rows stand among all, shape (n_rows,): bad ones are not delivered."""
    before = np.asarray(bad, np.int64) - np.arange(len(bad))  # good rows above each bad one
    good = np.arange(start, start + n_rows)
    return good + np.searchsorted(before, good, side="right")


def _decoded(
    raw: pl.DataFrame, numbers: np.ndarray, table: TextTable, bad: Sequence[tuple[int, str]]
) -> Chunk:
    faults = _malformed(bad)
    numbered = raw.insert_column(0, pl.Series("row_number", numbers, pl.Int64))
    texts = pl.exclude("row_number").cast(pl.String)
    try:
        return Chunk(numbered.with_columns(texts), faults)
    except pl.exceptions.ComputeError:  # somewhere is what is no UTF-8
        pass
    valid = pl.Series(
        [_is_valid(row) for row in raw.drop("row_number").iter_rows()], dtype=pl.Boolean
    )
    if table.latin1:
        decode = pl.exclude("row_number").map_elements(_decode, return_dtype=pl.String)
        return Chunk(numbered.with_columns(decode), faults)
    wrong = numbered.filter(~valid).select(
        "row_number", rule=pl.lit("invalid_text"), value=pl.lit(None, pl.String),
        original=pl.concat_str(
            pl.exclude("row_number").map_elements(_decode, return_dtype=pl.String),
            separator=",", ignore_nulls=True,
        ),
    )  # fmt: skip
    return Chunk(numbered.filter(valid).with_columns(texts), pl.concat([faults, wrong]))


def _is_valid(row: tuple[bytes | None, ...]) -> bool:
    try:
        b"".join(value or b"" for value in row).decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _malformed(bad: Sequence[tuple[int, str]]) -> pl.DataFrame:
    rows = [(number, "malformed_row", None, text) for number, text in bad]
    return pl.DataFrame(rows, schema=FAULTS, orient="row")


def _no_rows(columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={"row_number": pl.Int64, **dict.fromkeys(columns, pl.String)})


def _open(path: Path) -> pa.NativeFile:
    return pa.input_stream(str(path), compression="detect")


def _open_csv(
    stream: pa.NativeFile, table: TextTable, columns: Sequence[str], on_bad: object = None
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
            column_types=dict.fromkeys(columns, pa.binary()), include_columns=list(columns)
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


def _unreadable(path: Path, error: Exception) -> ContractViolationError:
    return ContractViolationError(
        f"{path} must be a readable text file, whole and of the named layout, got: {error}; "
        "nothing was imported"
    )
