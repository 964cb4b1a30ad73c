"""Reading one log file: types, times, zones, and columns that do not fit."""

import os
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.config import InteractionColumns, InteractionsConfig
from tasks.source.log_reader import UnfitFileError, batches, inspect
from tasks.source.log_store_local import LocalFile
from tests.tiny_lake import at

MOMENT = at(10)
SECONDS = int(MOMENT.timestamp())
TEXT = ("string", "string")


def write(path, **columns):
    """Write a file with these columns beside good ones."""
    given = {"user_id": ["u"], "item_id": ["i"], "event_type": ["view"], "timestamp": [MOMENT]}
    pl.DataFrame(given | columns).write_parquet(path / "log.parquet")
    return path / "log.parquet"


def read(path, id_types=TEXT, **settings):
    """Read it whole."""
    config = InteractionsConfig(**settings)
    inspect(LocalFile(path), config)
    return pl.concat(batches(LocalFile(path), config, id_types))


@pytest.mark.parametrize(
    ("unit", "number"),
    [("s", SECONDS), ("ms", SECONDS * 10**3), ("us", SECONDS * 10**6), ("ns", SECONDS * 10**9)],
)
def test_integer_times_have_the_configured_unit(tmp_path, unit, number):
    """Whatever the unit, the moment is the same."""
    rows = read(write(tmp_path, timestamp=[number]), time_unit=unit)
    assert rows["timestamp"].to_list() == [MOMENT]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_parquet_times_carry_their_own_unit(tmp_path, unit):
    """A time without a zone is in the configured one."""
    naive = pl.Series([MOMENT.replace(tzinfo=None)], dtype=pl.Datetime(unit))
    rows = read(write(tmp_path, timestamp=naive), time_zone="Europe/Prague")
    assert rows["timestamp"].to_list() == [at(8)]
    assert rows.schema["timestamp"] == pl.Datetime("us", "UTC")


def test_time_that_its_zone_never_had_is_missing(tmp_path):
    """The hour that spring skips is no time at all; the one that autumn repeats is the first."""
    skipped, repeated = datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001
    path = write(tmp_path, timestamp=[skipped, repeated], user_id=["u", "u"], item_id=["i", "i"],
                 event_type=["view", "view"])  # fmt: skip
    rows = read(path, time_zone="Europe/Prague")
    assert rows["timestamp"].to_list() == [None, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]


def test_dictionary_columns_are_text(tmp_path):
    """Categories are how many tools write ids."""
    columns = {name: pl.Series([name], dtype=pl.Categorical) for name in ("user_id", "event_type")}
    rows = read(write(tmp_path, **columns))
    assert rows.select("user_id", "event_type").row(0) == ("user_id", "event_type")


def test_log_without_event_types_gets_the_default(tmp_path):
    """An empty name says that there is no such column."""
    path = write(tmp_path)
    pl.read_parquet(path).drop("event_type").write_parquet(path)
    columns = InteractionColumns(event_type="")
    assert read(path, columns=columns, default_event_type="buy")["event_type"].to_list() == ["buy"]


def test_columns_may_have_other_names(tmp_path):
    """The map says which is which."""
    path = write(tmp_path)
    pl.read_parquet(path).rename({"user_id": "visitor"}).write_parquet(path)
    assert read(path, columns=InteractionColumns(user_id="visitor"))["user_id"].to_list() == ["u"]


@pytest.mark.parametrize(
    ("columns", "settings", "reason"),
    [
        ({"user_id": [1.5]}, {}, "user_id must be string or integer, is double"),
        ({"item_id": [["i"]]}, {}, "item_id must be string or integer, is large_list"),
        ({"timestamp": [SECONDS]}, {}, "timestamp must be a Parquet timestamp, is int64"),
        ({"timestamp": ["today"]}, {"time_unit": "s"}, "timestamp must be an integer"),
        ({"event_type": [3]}, {}, "event_type must be text"),
        ({}, {"columns": {"user_id": "who"}}, "needs each of who once"),
    ],
)
def test_columns_that_do_not_fit_are_named(tmp_path, columns, settings, reason):
    """The reason says which column, what it must be and what it is."""
    with pytest.raises(UnfitFileError, match=reason) as refused:
        read(write(tmp_path, **columns), **settings)
    assert refused.value.rule == "wrong_columns"


def test_column_that_stands_twice_is_refused(tmp_path):
    """Which of the two would be meant?"""
    table = pl.read_parquet(write(tmp_path)).to_arrow()
    table = table.append_column("user_id", pa.array(["other"]))
    pq.write_table(table, tmp_path / "log.parquet")
    with pytest.raises(UnfitFileError, match="needs each of user_id once"):
        read(tmp_path / "log.parquet")


def test_damaged_page_is_found_while_reading(tmp_path):
    """The footer is whole, a page is not."""
    path = write(tmp_path, user_id=["u" * 50])
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)
    with pytest.raises(UnfitFileError, match="cannot be read to its end"):
        read(path)


def test_text_that_is_no_utf8_makes_the_file_unreadable(tmp_path):
    """Found while the file is read, and not somewhere behind."""
    path = write(tmp_path)
    table = pq.read_table(path)
    broken = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"]).buffers())
    pq.write_table(table.set_column(0, "user_id", broken), path)
    with pytest.raises(UnfitFileError, match="cannot be read to its end") as refused:
        read(path)
    assert refused.value.rule == "unreadable_file"


@pytest.mark.parametrize(
    ("dtype", "number"), [(pl.Int64, 2**62), (pl.Int64, -(2**62)), (pl.UInt64, 2**63 + 1)]
)
def test_number_beyond_all_times_is_missing(tmp_path, dtype, number):
    """One absurd number costs its row, and not the file."""
    path = write(tmp_path, timestamp=pl.Series([number], dtype=dtype))
    assert read(path, time_unit="s")["timestamp"].to_list() == [None]


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int8(), pa.string()),
    ],
)
def test_text_of_any_kind_is_the_same_text(tmp_path, kind):
    """However a tool encodes its strings."""
    path = write(tmp_path)
    table, column = pq.read_table(path), pa.array(["Žofie"], kind)
    for place, name in enumerate(["user_id", "item_id", "event_type"]):
        table = table.set_column(place, name, column)
    pq.write_table(table, path)
    assert pq.read_schema(path).field("user_id").type == kind
    assert read(path).select("user_id", "item_id", "event_type").row(0) == ("Žofie",) * 3


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int32, pl.Int64, pl.UInt32])
def test_whole_numbers_of_any_width_are_the_same_ids(tmp_path, dtype):
    """They are 64 bits wide from here on."""
    path = write(tmp_path, user_id=pl.Series([7], dtype=dtype))
    rows = read(path, id_types=("integer", "string"))
    assert rows.schema["user_id"] == pl.Int64
    assert rows["user_id"].to_list() == [7]


def test_pipe_is_no_file_and_not_waited_for(tmp_path):
    """Nobody will ever write into it."""
    os.mkfifo(tmp_path / "pipe.parquet")
    with pytest.raises(UnfitFileError, match="no file, but a folder, a pipe") as refused:
        inspect(LocalFile(tmp_path / "pipe.parquet"), InteractionsConfig())
    assert refused.value.rule == "unreadable_file"


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Prague", "+02:00"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_time_outside_the_calendar_is_missing(tmp_path, unit, zone):
    """The first and the last moment of a type's range are no times, the rows beside them are."""
    numbers = pa.array([-(2**63) + 1, 0, 2**63 - 1], pa.int64())
    path = write(tmp_path)
    columns = {name: pa.array(["x"] * 3) for name in ("user_id", "item_id", "event_type")}
    table = pa.table(columns | {"timestamp": numbers.cast(pa.timestamp(unit, zone))})
    pq.write_table(table, path, version="2.6")
    first, middle, last = read(path)["timestamp"].to_list()
    assert middle == datetime(1970, 1, 1, tzinfo=UTC)
    assert unit == "ns" or (first, last) == (None, None)  # nanoseconds end in 2262


def test_metadata_that_is_no_text_is_not_read(tmp_path):
    """Whatever a tool has left there."""
    path = write(tmp_path)
    table = pq.read_table(path)
    with pq.ParquetWriter(path, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({b"pandas": b"\xff"})
    assert read(path)["user_id"].to_list() == ["u"]
