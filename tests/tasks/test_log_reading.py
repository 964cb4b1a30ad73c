"""Whole logs, night after night: id types, zones, late and repeated files, from file to history."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.errors import ContractViolationError
from tasks.history import build_history
from tasks.ingest import ingest
from tasks.matrix import build_matrices, load_shard
from tests.tiny_lake import DAY, SCHEMA, at, good_rows, night, quarantined, write_day

YESTERDAY, TOMORROW = DAY - timedelta(days=1), DAY + timedelta(days=1)
INTEGERS = SCHEMA | {"user_id": pl.Int64(), "item_id": pl.Int64()}
NARROW = SCHEMA | {"user_id": pl.Int32(), "item_id": pl.Int16()}


def history_after(tonight):
    """Ingest and build; all shards of the history in one frame."""
    build_history(tonight, ingest(tonight))
    return pl.read_parquet(tonight.step("history") / "*.parquet").sort("user_id", "item_id")


def numbers(n, day):
    """Good rows with integer ids."""
    return [(k % 3 - 1, 2**40 * (k % 2), "view", at(1 + k, day)) for k in range(n)]


def test_integers_of_different_width_are_the_same_users(tmp_path):
    """From files of both kinds to the rows and columns of the matrices."""
    write_day(tmp_path, numbers(6, DAY), schema=INTEGERS, name="wide")
    write_day(tmp_path, [(-1, 7, "view", at(9))], schema=NARROW, name="narrow")
    tonight = night(tmp_path, history={"n_user_shards": 1})
    history = build_history(tonight, ingest(tonight))
    manifest = build_matrices(tonight, history)
    shard = load_shard(tonight.step("matrices"), 0)
    assert (history.user_id_type, history.item_id_type) == ("integer", "integer")
    assert shard.users.to_list() == [-1, 0, 1]
    assert (manifest.n_users, manifest.n_items) == (3, 3)
    assert shard.full.toarray().astype(bool).sum(axis=1).tolist() == [3, 2, 2]


@pytest.mark.parametrize("first_is_text", [True, False])
def test_file_with_ids_of_another_type_makes_its_day_wait(tmp_path, first_is_text):
    """The lake's type is that of its first night, whichever it was."""
    kinds = [
        lambda day, name: write_day(tmp_path, good_rows(4, day), day=day, name=name),
        lambda day, name: write_day(tmp_path, numbers(4, day), day=day, name=name, schema=INTEGERS),
    ]
    usual, other = kinds if first_is_text else kinds[::-1]
    usual(YESTERDAY, "usual")
    ingest(night(tmp_path, YESTERDAY))
    other(YESTERDAY, "other")
    usual(DAY, "usual")
    manifest = ingest(night(tmp_path))
    assert manifest.accepted_by_day == {DAY: 4}
    assert quarantined(tmp_path) == [("other.parquet", None, "wrong_columns")]
    other(TOMORROW, "other")
    wanted = "string" if first_is_text else "integer"
    with pytest.raises(ContractViolationError, match=f"user_id must be {wanted} as in the rest"):
        ingest(night(tmp_path, TOMORROW))


def test_column_of_nulls_has_the_type_of_the_others(tmp_path):
    """A file of nobody's events is refused row by row, and not as a file."""
    write_day(tmp_path, numbers(3, DAY), schema=INTEGERS, name="b")
    nulls = [(None, 1, "view", at(2)), (None, 2, "view", at(3))]
    write_day(tmp_path, nulls, schema=INTEGERS | {"user_id": pl.Null()}, name="a")
    manifest = ingest(night(tmp_path))
    assert (manifest.user_id_type, manifest.accepted) == ("integer", 3)
    assert manifest.quarantined == {"user_id_missing": 2}


def test_day_ends_at_midnight_of_its_zone(tmp_path):
    """In Prague in September, two hours before the day of UTC; naive times are of that zone."""
    prague = {"time_zone": "Europe/Prague"}
    write_day(tmp_path, [("a", "i", "view", at(21.99)), ("b", "i", "view", at(22))], name="aware")
    moments = [at(0), at(23), at(24)]
    naive = [(u, "i", "view", t.replace(tzinfo=None)) for u, t in zip("cde", moments, strict=True)]
    write_day(tmp_path, naive, name="naive", schema=SCHEMA | {"timestamp": pl.Datetime("ms")})
    history = history_after(night(tmp_path, interactions=prague))
    assert history["user_id"].to_list() == ["a", "c", "d"]
    assert history["first_seen"].to_list()[1:] == [at(-2), at(21)]
    assert quarantined(tmp_path) == [
        ("aware.parquet", 1, "timestamp_in_future"),
        ("naive.parquet", 2, "timestamp_in_future"),
    ]


def test_hour_that_spring_skips_is_refused_by_row(tmp_path):
    """Half past two on that night was never; half past one and three were."""
    day = date(2026, 3, 29)
    times = [datetime(2026, 3, 29, hour, 30) for hour in (1, 2, 3)]  # noqa: DTZ001
    rows = [("u", f"i{n}", "view", moment) for n, moment in enumerate(times)]
    write_day(tmp_path, rows, day=day, schema=SCHEMA | {"timestamp": pl.Datetime("us")})
    history = history_after(night(tmp_path, day, interactions={"time_zone": "Europe/Prague"}))
    assert quarantined(tmp_path, day) == [("part-0.parquet", 1, "timestamp_missing")]
    assert history["first_seen"].to_list() == [
        datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    ]


def test_log_without_event_types_is_of_the_default(tmp_path):
    """Its weight is that of the configuration."""
    rows = [("u", "i", at(23))]
    schema = {name: dtype for name, dtype in SCHEMA.items() if name != "event_type"}
    write_day(tmp_path, rows, schema=schema)
    interactions = {"columns": {"event_type": ""}, "default_event_type": "purchase"}
    flat = {"half_life_days": None}
    tonight = night(tmp_path, interactions=interactions, history=flat, events={"purchase": 4.0})
    assert history_after(tonight)["weight"].to_list() == [4.0]


def test_grown_file_brings_its_new_rows_only(tmp_path):
    """Written again with two more rows, yesterday's file counts no event twice."""
    write_day(tmp_path, good_rows(4, YESTERDAY), day=YESTERDAY)
    ingest(night(tmp_path, YESTERDAY))
    write_day(tmp_path, good_rows(6, YESTERDAY), day=YESTERDAY)
    write_day(tmp_path, good_rows(6))
    tonight = night(tmp_path)
    manifest = build_history(tonight, ingest(tonight))
    events = pl.read_parquet(tonight.step("history") / "*.parquet")["n_events"]
    assert (manifest.duplicates, int(events.sum())) == (4, 12)


def test_event_on_both_sides_of_midnight_is_one_night_s_duplicate(tmp_path):
    """Told by two files of one night, it is refused in the later file."""
    event = ("u", "i", "view", at(-1))
    write_day(tmp_path, [event, *good_rows(2, YESTERDAY)], day=YESTERDAY, name="a")
    write_day(tmp_path, [event, *good_rows(2)], name="b")
    ingest(night(tmp_path))
    assert quarantined(tmp_path) == [("b.parquet", 0, "duplicate")]


ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from(["view", "purchase"]),
              st.integers(-40, 23).map(at)),
    max_size=14,
)  # fmt: skip


@settings(max_examples=10)
@given(rows=ROWS, late=st.lists(st.booleans(), min_size=14, max_size=14))
def test_one_night_or_two_give_the_same_history(tmp_path_factory, rows, late):
    """Events that reach the second night late weigh what they would have weighed in time."""
    one_shard = {"history": {"n_user_shards": 1}}
    anchors = {YESTERDAY: ("a", "x", "view", at(-24)), DAY: ("a", "x", "view", at(0))}
    two, one = tmp_path_factory.mktemp("two"), tmp_path_factory.mktemp("one")
    parts = {"in-time": [], "late": [], "today": []}
    for row, is_late in zip(rows, late, strict=False):
        parts["today" if row[3] >= at(0) else "late" if is_late else "in-time"].append(row)
    write_day(two, [anchors[YESTERDAY], *parts["in-time"]], day=YESTERDAY, name="in-time")
    ingest(night(two, YESTERDAY, **one_shard))
    write_day(two, parts["late"], day=YESTERDAY, name="late")
    write_day(two, [anchors[DAY], *parts["today"]])
    write_day(one, [*anchors.values(), *rows])
    histories = [history_after(night(lake, **one_shard)) for lake in (two, one)]
    assert histories[0].equals(histories[1])
