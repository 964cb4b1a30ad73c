"""Log files that nobody should write: drawn by a seeded generator, for the fuzz test."""

import os
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

COLUMNS = ("user_id", "item_id", "event_type", "timestamp")
TIME = pa.timestamp("us", tz="UTC")
MOST = 2**63 - 1
FOREIGN = (
    b"", b"PAR1", b"PAR1PAR1", b"PARE" + bytes(40) + b"PARE", b"user_id,item_id\nu,i\n",
    b'{"user_id": "u"}\n', b"ORC" + bytes(30), b"Obj\x01" + bytes(30), b"\x89PNG\r\n\x1a\n",
    b"PK\x03\x04" + bytes(30), b"\x1f\x8b\x08" + bytes(30), b"SQLite format 3\x00" + bytes(90),
    b"<html>404</html>", b"\x93NUMPY\x01\x00", b"PAR1" + bytes(60) + b"\xff\xff\xff\x7fPAR1",
)  # fmt: skip


def table(draw: random.Random, day: date, n: int | None = None) -> pa.Table:
    """Return good rows; about a third of the tables have rows that break a rule as well."""
    n = draw.randrange(1, 9) if n is None else n
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    bad = draw.random() < 0.35
    users = [draw.choice([f"u{k}", None, ""]) if bad else f"u{k}" for k in range(n)]
    columns = [
        pa.array(users, pa.string()),
        pa.array([f"i{k}" for k in range(n)], pa.string()),
        pa.array([draw.choice(["view", "stare"]) if bad else "view"] * n, pa.string()),
        pa.array([start + timedelta(hours=k) for k in range(n)], TIME),
    ]
    return pa.table(columns, names=list(COLUMNS))


def odd_array(draw: random.Random, n: int) -> pa.Array:
    """Return n values of a type that no column of the log should have."""
    kinds: list[tuple[object, pa.DataType]] = [
        (1, pa.int8()), (MOST, pa.int64()), (2**64 - 1, pa.uint64()), (float("nan"), pa.float64()),
        (float("inf"), pa.float32()), (None, pa.null()), (None, pa.float64()), (True, pa.bool_()),
        (date(9999, 12, 31), pa.date32()), (0, pa.time64("us")), (MOST, pa.duration("ns")),
        (Decimal("1.50"), pa.decimal128(10, 2)), (Decimal(1), pa.decimal256(60, 0)),
        (b"\xff\xfe", pa.binary()), (b"\x00\xff", pa.large_binary()), (b"\xff", pa.binary(1)),
        (["u"], pa.list_(pa.string())), ({"a": 1}, pa.struct([("a", pa.int64())])),
        ([("k", "v")], pa.map_(pa.string(), pa.string())),
        ([[1], None], pa.list_(pa.list_(pa.int8()))),
        ([1.0, 2.0], pa.list_(pa.float32(), 2)), ("u", pa.dictionary(pa.int8(), pa.string())),
        (None, pa.string()), ("", pa.large_string()), ("u\x00\u202e\U0001f9ca", pa.string()),
        ("u" * 2**20, pa.string()), ({}, pa.struct([("b", pa.struct([("c", pa.null())]))])),
        ("é" * 600, pa.string_view()), (-(2**63), pa.int64()), (MOST, pa.timestamp("ns")),
    ]  # fmt: skip
    value, dtype = draw.choice(kinds)
    return pa.array([None if draw.random() < 0.1 else value for _ in range(n)], dtype)


def odd_times(draw: random.Random, n: int) -> pa.Array:
    """Return times of any unit and zone, most of them absurd."""
    zones = [None, "UTC", "Europe/Prague", "+02:00", "America/Los_Angeles"]
    dtype = pa.timestamp(draw.choice(["s", "ms", "us", "ns"]), tz=draw.choice(zones))
    numbers = [0, -1, MOST, -MOST, 2**62, -(2**53), 10**18, 253_402_300_800_000_000, None]
    most = 10**13 if dtype.unit == "s" else MOST  # Parquet has no seconds, writing multiplies them
    chosen = [draw.choice(numbers) for _ in range(n)]
    fit = [None if each is None else max(-most, min(most, each)) for each in chosen]
    return pa.array(fit, pa.int64()).cast(dtype)


def no_utf8(n: int) -> pa.Array:
    """Return n texts that are no UTF-8."""
    return pa.Array.from_buffers(pa.string(), n, pa.array([b"u\xff\xfe\xc3"] * n).buffers())


def replaced(draw: random.Random, rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    """Return the table with a column in the place of another one."""
    return rows.set_column(rows.column_names.index(name), name, column)


def write(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """Write a Parquet file, any way it can be done."""
    has_nanoseconds = any(
        dtype == pa.timestamp("ns", getattr(dtype, "tz", None)) for dtype in rows.schema.types
    )
    pq.write_table(
        rows, path,
        row_group_size=draw.choice([1, 3, 1_000]),
        version="2.6" if has_nanoseconds else draw.choice(["1.0", "2.4", "2.6"]),
        data_page_version=draw.choice(["1.0", "2.0"]),
        compression=draw.choice(["none", "snappy", "zstd", "gzip", "brotli", "lz4"]),
        use_dictionary=draw.random() < 0.5,
        store_schema=draw.random() < 0.8,
        write_statistics=draw.random() < 0.8,
        use_deprecated_int96_timestamps=draw.random() < 0.1,
    )  # fmt: skip


def wrong_type(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """One or two columns are of another type."""
    for name in draw.sample(COLUMNS, draw.choice([1, 1, 2])):
        rows = replaced(draw, rows, name, odd_array(draw, rows.num_rows))
    write(draw, path, rows)


def all_null(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """Some columns, or all, hold nulls only."""
    for name in draw.sample(COLUMNS, draw.randrange(1, 5)):
        dtype = draw.choice([rows.schema.field(name).type, pa.null()])
        rows = replaced(draw, rows, name, pa.nulls(rows.num_rows, dtype))
    write(draw, path, rows)


def absurd_time(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """Times of any unit, zone and size."""
    write(draw, path, replaced(draw, rows, "timestamp", odd_times(draw, rows.num_rows)))


def broken_text(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """Text that is no UTF-8, in a column of ours or in another one."""
    name, column = draw.choice([*COLUMNS[:3], "page"]), no_utf8(rows.num_rows)
    rows = (
        rows.append_column(name, column) if name == "page" else replaced(draw, rows, name, column)
    )
    write(draw, path, rows)


def long_ids(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """Ids of a megabyte."""
    for name in draw.sample(COLUMNS[:2], draw.choice([1, 2])):
        ids = [draw.choice(["é", "x"]) * 2**20 if k % 2 else "x" for k in range(rows.num_rows)]
        rows = replaced(draw, rows, name, pa.array(ids))
    write(draw, path, rows)


def big_numbers(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """Ids that only unsigned numbers can be."""
    for name in draw.sample(COLUMNS[:2], draw.choice([1, 2])):
        ids = [draw.choice([1, 2**63, 2**64 - 1]) for _ in range(rows.num_rows)]
        rows = replaced(draw, rows, name, pa.array(ids, pa.uint64()))
    write(draw, path, rows)


def odd_names(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """Columns that stand twice, are missing, or are called like ours."""
    names = ["rule", "row_number", "source_file", "original_rule", "broken_value", "USER_ID", "",
             "a.b", '"', "\n", "date", "file", "shard", "reason", "ü", *COLUMNS]  # fmt: skip
    for name in draw.choices(names, k=draw.randrange(1, 5)):
        rows = rows.append_column(name, odd_array(draw, rows.num_rows))
    if draw.random() < 0.3:
        rows = rows.remove_column(draw.randrange(4))
    write(draw, path, rows)


def many_columns(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """A thousand columns besides ours."""
    extra = pa.table({f"c{k}": odd_array(draw, rows.num_rows) for k in range(20)})
    for k in range(1_000):
        rows = rows.append_column(f"x{k}", extra.column(k % 20))
    pq.write_table(rows, path, compression="zstd")


def cut(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """A file that was not copied to its end, or twice."""
    write(draw, path, rows)
    content = path.read_bytes()
    place = draw.randrange(len(content))
    path.write_bytes(draw.choice([content[:place], content[place:], content * 2, content + b"x"]))


def damaged(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """A few bytes are others, often those of the footer."""
    write(draw, path, rows)
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice([1, 2, 8])):
        first = max(0, len(content) - 200) if draw.random() < 0.5 else 0
        content[draw.randrange(first, len(content))] = draw.randrange(256)
    path.write_bytes(content)


def foreign(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """Something else under the name of a Parquet file."""
    if draw.random() < 0.1:
        pyarrow.feather.write_feather(rows, path)
    else:
        path.write_bytes(draw.choice([*FOREIGN, draw.randbytes(draw.randrange(200))]))


def no_file(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """A folder, a pipe, or a link to nowhere, to itself, or to a device."""
    kind = draw.randrange(5)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        os.mkfifo(path)
    else:
        path.symlink_to(["/nowhere/at/all", path.name, "/dev/zero"][kind - 2])


def empty(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """No rows, no columns, or neither."""
    none = rows.slice(0, 0)
    write(draw, path, draw.choice([none, none.select([]), none.select(["user_id"])]))


def odd_metadata(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """The stored Arrow schema or that of pandas is not what the columns are."""
    other = replaced(draw, rows, "user_id", odd_array(draw, rows.num_rows)).schema
    said = draw.choice([b"AAAA", b"\xff", other.serialize().to_pybytes(), b""])
    key = draw.choice([b"ARROW:schema", b"pandas", b"PANDAS_ATTRS"])
    with pq.ParquetWriter(path, rows.schema, store_schema=False) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata({key: said})


def nested_beside(draw: random.Random, path: Path, rows: pa.Table) -> None:
    """Other columns of any type, beside good ones and bad ones."""
    for k in range(draw.randrange(1, 6)):
        rows = rows.append_column(f"extra{k}", odd_array(draw, rows.num_rows))
    write(draw, path, rows)


Maker = Callable[[random.Random, Path, pa.Table], None]
MAKERS: tuple[Maker, ...] = (
    wrong_type, wrong_type, nested_beside, nested_beside, all_null, absurd_time, absurd_time,
    broken_text, long_ids, big_numbers, odd_names, cut, damaged, damaged, foreign, no_file, empty,
    odd_metadata,
)  # fmt: skip


def write_bad_file(seed: int, path: Path, day: date) -> str:
    """Write the bad file of this number for a day's folder; return what kind it is of."""
    draw = random.Random(seed)
    make = many_columns if draw.random() < 0.01 else draw.choice(MAKERS)
    make(draw, path, table(draw, day))
    return make.__name__
