"""The last events of every user, item and event type, against a computation by hand."""

from datetime import date, timedelta

import polars as pl
import pytest

from data_contracts.errors import ContractViolationError, HoarfrostError
from data_contracts.history import last_events_schema
from tasks.history.history import build_history
from tasks.history.last_event import keep_last_events, last_events
from tasks.ingest.ingest import ingest
from tasks.tables.table_file import check_table
from tests.tiny_lake import DAY, at, night, write_day

SETTINGS = {"history": {"n_user_shards": 2}, "interactions": {"time_zone": "Europe/Prague"}}
YESTERDAY = DAY - timedelta(days=1)
ROWS = {
    YESTERDAY: [
        ("ann", "tea", "view", at(-20)),
        ("ann", "tea", "purchase", at(-19)),
        ("bob", "tea", "view", at(-4)),
    ],
    DAY: [
        ("ann", "tea", "view", at(1)),
        ("ann", "tea", "view", at(2)),
        ("ann", "cup", "view", at(-1)),  # one o'clock of this day in Prague
    ],
}


@pytest.fixture
def tonight(tmp_path):
    """Two nights with a history."""
    for day, rows in ROWS.items():
        write_day(tmp_path, rows, day=day)
        last = night(tmp_path, day, **SETTINGS)
        build_history(last, ingest(last))
    return last


def test_last_days_are_those_of_the_log(tonight):
    """One sorted row per user, item and event type, over all nights."""
    manifest = keep_last_events(tonight)
    shards = [last_events(tonight, shard) for shard in range(2)]
    assert [entry.rows for entry in manifest.files] == [shard.height for shard in shards]
    assert all(shard.equals(shard.sort(shard.columns)) for shard in shards)
    assert sorted(row for shard in shards for row in shard.rows()) == [
        ("ann", "cup", "view", DAY),
        ("ann", "tea", "purchase", YESTERDAY),
        ("ann", "tea", "view", DAY),
        ("bob", "tea", "view", YESTERDAY),
    ]


def test_they_are_made_once_and_alike(tonight):
    """A finished step is used again; made anew its files are the same bytes."""
    first = keep_last_events(tonight)
    path = tonight.step("last_events") / first.files[0].path
    stamp = path.stat().st_mtime_ns
    assert keep_last_events(tonight) == first
    assert path.stat().st_mtime_ns == stamp
    path.unlink()
    assert keep_last_events(tonight) == first


def test_the_history_does_not_change(tonight):
    """They lie beside it, in a step of their own."""
    before = build_history(tonight, ingest(tonight))
    keep_last_events(tonight)
    assert build_history(tonight, ingest(tonight)) == before


def test_a_night_without_a_history_is_refused(tmp_path):
    """There is nothing to look into."""
    with pytest.raises(HoarfrostError, match=r"there must be a history in .*2026-09-10"):
        keep_last_events(night(tmp_path))


GOOD = {"user_id": "ann", "item_id": "tea", "event_type": "view", "last_day": date(2026, 9, 1)}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([GOOD | {"user_id": ""}], "user_id breaks not_empty"),
        ([GOOD | {"event_type": ""}], "event_type breaks not_empty"),
        ([GOOD | {"last_day": None}], "last_day breaks not_nullable"),
        ([GOOD, GOOD], "unique_user_id_and_item_id_and_event_type"),
    ],
)
def test_a_broken_table_is_refused(rows, message):
    """Every rule of the contract has a row that breaks it."""
    schema = {"user_id": pl.String, "item_id": pl.String, "event_type": pl.String}
    frame = pl.DataFrame(rows, schema=schema | {"last_day": pl.Date})
    check_table(last_events_schema("string", "string"), pl.DataFrame([GOOD]))
    with pytest.raises(ContractViolationError, match=message):
        check_table(last_events_schema("string", "string"), frame)
