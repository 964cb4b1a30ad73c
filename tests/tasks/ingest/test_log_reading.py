"""Whole logs, night after night: id types, zones, late and repeated files, from file to history."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.errors import ContractViolationError
from tasks.history.history import build_history
from tasks.history.history_shard import read_history
from tasks.history.matrix import build_matrices
from tasks.history.matrix_shard import load_shard
from tasks.ingest.ingest import ingest
from tests.tiny_lake import DAY, SCHEMA, at, good_rows, night, quarantined, write_day

YESTERDAY, TOMORROW = DAY - timedelta(days=1), DAY + timedelta(days=1)
INTEGERS = SCHEMA | {"user_id": pl.Int64(), "item_id": pl.Int64()}
NARROW = SCHEMA | {"user_id": pl.Int32(), "item_id": pl.Int16()}


def history_after(tonight):
    """Ingest and build; all shards of the history in one frame."""
    build_history(tonight, ingest(tonight))
    return read_history(tonight.step("history")).sort("user_id", "item_id")


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


def went(manifest):
    """Where the rows of every file went, by name and night; each must have gone somewhere."""
    for file in manifest.log_files:
        rest = file.model_dump(exclude={"path", "run_date", "rows"})
        assert sum(rest.values()) == file.rows
    return {
        (file.path.rsplit("/", 1)[1].removesuffix(".parquet"), (DAY - file.run_date).days): {
            fate: n
            for fate, n in file.model_dump(exclude={"path", "run_date", "rows"}).items()
            if n
        }
        for file in manifest.log_files
    }


def test_grown_file_takes_the_place_of_what_it_was(tmp_path):
    """Written again with two more rows, yesterday's file counts no event twice."""
    write_day(tmp_path, good_rows(4, YESTERDAY), day=YESTERDAY, name="grown")
    ingest(night(tmp_path, YESTERDAY))
    write_day(tmp_path, good_rows(6, YESTERDAY), day=YESTERDAY, name="grown")
    write_day(tmp_path, good_rows(6))
    tonight = night(tmp_path)
    manifest = build_history(tonight, ingest(tonight))
    events = read_history(tonight.step("history"))["n_events"]
    assert (manifest.duplicates, int(events.sum())) == (0, 12)
    assert went(manifest) == {
        ("grown", 1): {"replaced": 4},
        ("grown", 0): {"history": 6},
        ("part-0", 0): {"history": 6},
    }


def test_rows_that_a_changed_file_lost_leave_the_history(tmp_path):
    """It is what it would be if the file had always been as it is now."""
    old, new = good_rows(6, YESTERDAY), good_rows(3, YESTERDAY)
    anew = tmp_path / "anew"
    for lake, first in ((tmp_path / "changed", old), (anew, new)):
        write_day(lake, first, day=YESTERDAY)
        ingest(night(lake, YESTERDAY))
        write_day(lake, new, day=YESTERDAY)
        write_day(lake, good_rows(2))
    histories = [history_after(night(lake)) for lake in (tmp_path / "changed", anew)]
    assert histories[0].equals(histories[1])
    assert histories[0]["n_events"].sum() == 5


def test_repeat_of_a_row_that_is_gone_counts(tmp_path):
    """Two files told it, the first one no more: the second one's row is not lost with it."""
    event = ("u", "i", "view", at(3, YESTERDAY))
    rest = ("v", "i", "view", at(4, YESTERDAY))
    write_day(tmp_path, [event, rest], day=YESTERDAY, name="a")
    write_day(tmp_path, [event], day=YESTERDAY, name="b")
    ingest(night(tmp_path, YESTERDAY))
    assert quarantined(tmp_path, YESTERDAY) == [("b.parquet", 0, "duplicate")]
    write_day(tmp_path, [rest], day=YESTERDAY, name="a")
    write_day(tmp_path, [("w", "i", "view", at(1))])
    tonight = night(tmp_path)
    manifest = build_history(tonight, ingest(tonight))
    users = read_history(tonight.step("history"))
    assert sorted(users["user_id"]) == ["u", "v", "w"]
    assert went(manifest)["b", 1] == {"history": 1}


def test_file_that_is_changed_back_is_read_once_more(tmp_path):
    """What counts is how the last night found it, and not whether any night did."""
    days = [DAY - timedelta(days=2), YESTERDAY, DAY]
    for day, n_rows in zip(days, (5, 2, 5), strict=True):
        write_day(tmp_path, good_rows(n_rows, days[0]), day=days[0], name="moody")
        write_day(tmp_path, good_rows(1, day), day=day, name="today")
        tonight = night(tmp_path, day)
        manifest = build_history(tonight, ingest(tonight))
    assert [went(manifest)["moody", ago] for ago in (2, 1, 0)] == [
        {"replaced": 5},
        {"replaced": 2},
        {"history": 4, "duplicates": 1},
    ]


def test_changed_file_that_is_broken_leaves_what_it_was(tmp_path):
    """Its day waits, and the rows that were good stay until it is mended."""
    path = write_day(tmp_path, good_rows(4, YESTERDAY), day=YESTERDAY)
    ingest(night(tmp_path, YESTERDAY))
    path.write_bytes(path.read_bytes()[:-9])
    write_day(tmp_path, good_rows(2))
    assert history_after(night(tmp_path))["n_events"].sum() == 6
    assert quarantined(tmp_path) == [("part-0.parquet", None, "unreadable_file")]


def test_file_that_changes_too_late_is_refused_and_keeps_its_rows(tmp_path):
    """With a reason of its own; it says what is in the history."""
    old = DAY - timedelta(days=4)
    write_day(tmp_path, good_rows(4, old), day=old)
    for day in (old, YESTERDAY, DAY):
        write_day(tmp_path, good_rows(2, day), day=day, name="today")
        if day == DAY:
            write_day(tmp_path, good_rows(1, old), day=old)
        manifest = ingest(night(tmp_path, day))
    (late,) = manifest.refused_files
    assert (late.rule, late.path) == ("too_late_file", f"interactions/date={old}/part-0.parquet")
    assert late.reason.startswith("changed more than 3 days after its day")
    history = build_history(night(tmp_path), manifest)
    assert went(history)["part-0", 4] == {"history": 4}


def test_bot_of_two_nights_is_a_bot(tmp_path):
    """Half of its day came late: neither half is too much, both are, and a repeat counts once."""
    limit = {"validation": {"max_events_per_user_day": 8, "max_bad_share": 1.0}}
    rows = [(user, f"i{k}", "view", at(k, YESTERDAY)) for k in range(9) for user in ("bot", "u")]
    rows.pop()  # eight events are not too many
    write_day(tmp_path, rows[:9], day=YESTERDAY, name="in-time")
    assert ingest(night(tmp_path, YESTERDAY, **limit)).accepted == 9
    write_day(tmp_path, rows[8:], day=YESTERDAY, name="late")
    write_day(tmp_path, good_rows(1))
    tonight = night(tmp_path, **limit)
    manifest = build_history(tonight, ingest(tonight))
    users = read_history(tonight.step("history"))
    assert sorted(users["user_id"].unique()) == ["u", "u0"]
    assert went(manifest) == {
        ("in-time", 1): {"filtered": 5, "history": 4},
        ("late", 0): {"filtered": 4, "duplicates": 1, "history": 4},
        ("part-0", 0): {"history": 1},
    }


def test_row_after_the_day_of_its_file_is_refused_however_late_it_comes(tmp_path):
    """Else the night on which the file arrives would decide."""
    write_day(tmp_path, [("u", "i", "view", at(1)), *good_rows(1, YESTERDAY)], day=YESTERDAY)
    write_day(tmp_path, good_rows(2))
    assert ingest(night(tmp_path)).quarantined == {"timestamp_in_future": 1}
    assert quarantined(tmp_path) == [("part-0.parquet", 0, "timestamp_in_future")]


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
