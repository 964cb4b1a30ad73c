"""Rows of text files: every one is delivered or told, with its number."""

import gzip
import io
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import ConfigError, ContractViolationError
from data_contracts.import_source import TextTable
from tasks.importing import import_lines, import_reading
from tasks.importing.import_lines import line_chunks
from tasks.importing.import_reading import file_columns, read_chunks

JSONL = TextTable(layout="jsonl")


def read(path, table=None, columns=("a", "b")):
    """Rows and faults of a whole file."""
    chunks = list(read_chunks(path, table or TextTable(), columns))
    rows = pl.concat([chunk.rows for chunk in chunks]).rows()
    return rows, pl.concat([chunk.faults for chunk in chunks]).select("row_number", "rule").rows()


def write(path, content):
    """A file of bytes."""
    path.write_bytes(content)
    return path


def test_csv_with_quotes_lines_in_fields_and_empty_lines(tmp_path):
    """A byte order mark is no part of a name; an empty line is no row."""
    path = write(tmp_path / "a.csv", b'\xef\xbb\xbfa,x,b\r\n1,2,"3\n4"\r\n\r\n"5,""6",7,\r\n')
    assert file_columns(path, TextTable()) == ["a", "x", "b"]
    assert read(path) == ([(0, "1", "3\n4"), (1, '5,"6', "")], [])


def test_bad_rows_are_told_and_the_others_keep_their_numbers(tmp_path):
    """Too few, too many, no UTF-8."""
    path = write(tmp_path / "a.csv", b"a,b\n1,1\n2\n3,3\n4,4,4\n\xff,5\n6,6\n7,\xff,7\n")
    rows, faults = read(path)
    assert rows == [(0, "1", "1"), (2, "3", "3"), (5, "6", "6")]
    assert sorted(faults) == [
        (1, "malformed_row"),
        (3, "malformed_row"),
        (4, "invalid_text"),
        (6, "malformed_row"),
    ]


def test_latin1_is_read_where_it_is_allowed(tmp_path):
    """Row by row: what is UTF-8 stays so."""
    path = write(tmp_path / "a.csv", b"a,b\n1,caf\xe9\n2,caf\xc3\xa9\n")
    assert read(path, TextTable(latin1=True))[0] == [(0, "1", "café"), (1, "2", "café")]
    words = TextTable(separator="::", quoted=False, header=("a", "b"), latin1=True)
    path = write(tmp_path / "a.dat", b"1::caf\xe9\n2::caf\xc3\xa9\n")
    assert read(path, words)[0] == [(0, "1", "café"), (1, "2", "café")]


def test_separator_of_two_characters(tmp_path):
    """Fields are counted."""
    table = TextTable(separator="::", quoted=False, header=("a", "b"))
    path = write(tmp_path / "a.dat", b"1::x:y\r\n2\n3::4::5\n6::7")
    assert read(path, table) == (
        [(0, "1", "x:y"), (3, "6", "7")],
        [(1, "malformed_row"), (2, "malformed_row")],
    )


def test_json_lines(tmp_path):
    """Text stays, other values are told as JSON, what is absent is nothing."""
    lines = [
        b'{"a": "x", "b": 1.5}', b'{"b": ["p", "q"]}', b"[1]", b"{", b"",
        b'{"a": "\\ud800"}', b'{"a": "\xff"}', b'{"a": null, "b": true}', b"[" * 100_000,
    ]  # fmt: skip
    path = write(tmp_path / "a.jsonl", b"\n".join(lines))
    rows, faults = read(path, JSONL)
    assert rows == [(0, "x", "1.5"), (1, None, '["p", "q"]'), (6, None, "true")]
    assert faults == [
        (2, "malformed_row"),
        (3, "malformed_row"),
        (4, "invalid_text"),
        (5, "invalid_text"),
        (7, "malformed_row"),
    ]
    assert file_columns(path, JSONL) == ["a", "b"]


@pytest.mark.parametrize("twice", [False, True])
def test_gzip_also_of_two_members(tmp_path, twice):
    """As appended logs are."""
    packed = gzip.compress(b"a,b\n1,2\n") + (gzip.compress(b"3,4\n") if twice else b"")
    path = write(tmp_path / "a.csv.gz", packed)
    assert read(path)[0] == [(0, "1", "2")] + [(1, "3", "4")] * twice


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_truncated_gzip_is_refused(tmp_path, name):
    """With the file's name."""
    content = "".join(f'{{"a": {n * 7919}}}\n' for n in range(5000)).encode()
    path = write(tmp_path / name, gzip.compress(content)[:-200])
    table = JSONL if "json" in name else TextTable(header=("a",), quoted=False)
    with pytest.raises(ContractViolationError, match=f"{name} must be a readable text file"):
        list(read_chunks(path, table, ["a"]))


@pytest.mark.parametrize("layout", ["csv", "jsonl"])
def test_what_is_no_text_file_has_no_good_rows(tmp_path, layout):
    """Never a traceback."""
    path = write(tmp_path / "a.csv", b"PAR1\x00\x01\xff\n\x00\n\x00\x15\xe2PAR1")
    rows, faults = read(path, TextTable(layout=layout, header=("a", "b")))
    assert (rows, len(faults)) == ([], 3)


def test_missing_and_empty_files(tmp_path):
    """Each with its sentence, or without rows."""
    with pytest.raises(ConfigError, match="must be a file, got none there"):
        file_columns(tmp_path / "no.csv", TextTable())
    empty = write(tmp_path / "a.csv", b"")
    with pytest.raises(ContractViolationError, match="must be a readable text file"):
        file_columns(empty, TextTable())
    assert file_columns(empty, JSONL) == []
    assert list(read_chunks(empty, JSONL, ["a"])) == []


def test_line_without_end_is_refused(monkeypatch):
    """It would have to be held in memory."""
    monkeypatch.setattr(import_lines, "_LONGEST_LINE", 100)
    monkeypatch.setattr(import_lines, "_BLOCK_BYTES", 60)
    with pytest.raises(ContractViolationError, match="a line must be shorter"):
        list(line_chunks(io.BytesIO(b"x" * 500), JSONL, ["a"], []))


@given(
    rows=st.lists(
        st.sampled_from(["good", "both", "short", "long", "binary", "empty"]), max_size=60
    ),
    block=st.integers(64, 400),
    layout=st.sampled_from(["csv", "jsonl", "words"]),
)
def test_blocks_change_nothing(tmp_path_factory, rows, block, layout):
    """Wherever a block ends, every row is delivered or told once, under its number."""
    path = tmp_path_factory.mktemp("blocks") / "a"
    separator = b"::" if layout == "words" else b","
    good = json.dumps({"a": "1", "b": "é"}).encode() if layout == "jsonl" else None
    lines = {
        "good": good or separator.join([b"1", "é".encode()]),
        "short": b"1",
        "long": separator.join([b"1"] * 3),
        "binary": separator.join([b"1", b"\xff"]),
        "both": separator.join([b"1"] * 4) + b"\xe2",
        "empty": b"",
    }
    path.write_bytes(b"\n".join(lines[row] for row in rows))
    kept = [row for row in rows if row != "empty"]
    table = {
        "csv": TextTable(header=("a", "b")),
        "jsonl": JSONL,
        "words": TextTable(separator="::", quoted=False, header=("a", "b")),
    }[layout]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_reading, "_BLOCK_BYTES", block)
        patch.setattr(import_lines, "_BLOCK_BYTES", block)
        chunks = list(read_chunks(path, table, ["a", "b"]))
    good = [row for chunk in chunks for row in chunk.rows.rows()]
    bad = [row[0] for chunk in chunks for row in chunk.faults.rows()]
    assert good == [(n, "1", "é") for n, row in enumerate(kept) if row == "good"]
    assert sorted(bad) == [n for n, row in enumerate(kept) if row != "good"]


def test_a_wrong_separator_is_told_before_memory_ends(tmp_path, monkeypatch):
    """Where no row has the fields of the header."""
    monkeypatch.setattr(import_reading, "_MOST_BAD_ROWS", 50)
    monkeypatch.setattr(import_reading, "_BLOCK_BYTES", 200)
    path = write(tmp_path / "a.csv", b"a,b\n" + b"1;2\n" * 500)
    with pytest.raises(ContractViolationError, match="without a good one, from row 0 on"):
        list(read_chunks(path, TextTable(), ["a", "b"]))
