"""Rows of a text file whose every line is a row: JSON objects, or fields split by a word."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import polars as pl

from data_contracts.errors import ContractViolationError
from data_contracts.import_source import TextTable
from tasks.importing.import_stream import MARK, unmarked

_BLOCK_BYTES = 2**23
_LONGEST_LINE = 2**26
_BOM = b"\xef\xbb\xbf"
FAULTS = pl.Schema(
    {
        "row_number": pl.Int64(),
        "rule": pl.String(),
        "value": pl.String(),
        "original": pl.String(),
    }
)
_Row = tuple[str | None, ...]


class Chunk(NamedTuple):
    """Some rows of a file."""

    rows: pl.DataFrame
    """row_number (Int64, from 0 below the header, empty lines not counted), columns as text."""
    faults: pl.DataFrame
    """row_number, rule, value, original."""


def line_chunks(
    stream: BinaryIO, table: TextTable, columns: Sequence[str], header: Sequence[str]
) -> Iterator[Chunk]:
    """Yield the rows of a file line by line, bounded in memory.

    Args:
        stream: the file, see open_text.
        table: how it is written.
        columns: what to read; a JSON object without one of them has nothing there.
        header: names of all fields, where lines are no JSON; the file holds rows only.

    Raises:
        ContractViolationError: a line is longer than 64 MiB.
    """
    places = [] if table.layout == "jsonl" else [header.index(name) for name in columns]
    number = 0
    for lines in _blocks(stream):
        good: list[_Row] = []
        numbers: list[int] = []
        faults: list[tuple[int, str, str | None, str]] = []
        for line in lines:
            try:
                text = line.decode()
                if MARK in text and not table.latin1:
                    raise UnicodeError(text)
                text = unmarked(text)
                good.append(
                    _from_json(text, columns)
                    if table.layout == "jsonl"
                    else _from_fields(text, table.separator, len(header), places)
                )
                numbers.append(number)
            except UnicodeError:
                faults.append((number, "invalid_text", None, unmarked(line.decode())))
            except (ValueError, RecursionError):
                faults.append((number, "malformed_row", None, text))
            number += 1
        yield Chunk(
            pl.DataFrame(good, schema=dict.fromkeys(columns, pl.String), orient="row")
            .insert_column(0, pl.Series("row_number", numbers, pl.Int64)),
            pl.DataFrame(faults, schema=FAULTS, orient="row"),
        )  # fmt: skip


def _blocks(stream: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the lines that hold anything, without their ends, some megabytes at a time."""
    rest, first = b"", True
    while block := stream.read(_BLOCK_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise ContractViolationError(
                f"a line must be shorter than {_LONGEST_LINE >> 20} MiB, got a longer one: is the "
                "file of the layout that was named?"
            )
        if first and lines:
            lines[0], first = lines[0].removeprefix(_BOM), False
        if lines:
            yield [kept for line in lines if (kept := line.rstrip(b"\r")).strip()]
    last = rest.removeprefix(_BOM) if first else rest
    if last.strip():
        yield [last.rstrip(b"\r")]


def _from_fields(text: str, separator: str, n_fields: int, places: Sequence[int]) -> _Row:
    fields = text.split(separator)
    if len(fields) != n_fields:
        raise ValueError(f"{len(fields)} fields")
    return tuple(fields[place] for place in places)


def _from_json(text: str, columns: Sequence[str]) -> _Row:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("no object")
    return tuple(_as_text(value.get(name)) for name in columns)


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        if not value.isascii():
            value.encode()  # half a surrogate pair is no text
        return value
    if type(value) in (int, float):  # a truth value is an int, too
        return repr(value)
    return json.dumps(value, ensure_ascii=False)
