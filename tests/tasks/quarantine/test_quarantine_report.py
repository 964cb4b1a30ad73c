"""What the quarantine holds: exact counts, and rows as they stand in the log."""

from datetime import timedelta

import polars as pl
import pytest

from data_contracts.errors import ConfigError, ContractViolationError
from tasks.ingest.ingest import ingest
from tasks.lake import quarantine_folder
from tasks.quarantine.quarantine_report import summarise_quarantine
from tests.tiny_lake import DAY, SCHEMA, at, good_rows, night, quarantined, write_day

YESTERDAY = DAY - timedelta(days=1)


@pytest.fixture
def lake(tmp_path):
    """Two nights with refused rows, the second with two files."""
    write_day(
        tmp_path, [*good_rows(3, YESTERDAY), (None, "i1", "view", at(1, YESTERDAY))], day=YESTERDAY
    )
    ingest(night(tmp_path, YESTERDAY))
    bad = [("u1", "", "view", at(2)), ("u2", "i2", "stare", at(3)), (None, "i9", "view", at(4))]
    write_day(tmp_path, [*good_rows(3), *bad], name="a", page="home")
    write_day(tmp_path, [*good_rows(2), ("u4", "i4", "blink", at(30))], name="b")
    ingest(night(tmp_path))
    return tmp_path


def test_counts_are_exact(lake):
    """By rule, night and file; they add up to the rows that are there."""
    found = summarise_quarantine(lake)
    assert found.by_rule == {
        "duplicate": 2, "event_type_unknown": 2, "item_id_missing": 1, "user_id_missing": 2,
    }  # fmt: skip
    assert found.by_night == {YESTERDAY: 1, DAY: 6}
    assert found.rows == 7 == len(quarantined(lake)) + len(quarantined(lake, YESTERDAY))
    files = {(count.source_file.split("/")[-1], count.rule): count.rows for count in found.counts}
    assert files["b.parquet", "duplicate"] == 2
    assert sum(count.rows for count in found.counts) == 7
    assert found.examples == ()


def test_rule_and_night_narrow_it(lake):
    """Also both."""
    assert summarise_quarantine(lake, rule="user_id_missing").by_night == {YESTERDAY: 1, DAY: 1}
    assert summarise_quarantine(lake, run_date=YESTERDAY).by_rule == {"user_id_missing": 1}
    assert summarise_quarantine(lake, rule="bot", run_date=DAY).rows == 0
    with pytest.raises(ConfigError, match=r"rule must be one of user_id_missing, .* got full_moon"):
        summarise_quarantine(lake, rule="full_moon")


def test_rows_are_shown_as_they_stand_in_the_log(lake):
    """With value, file and number, in order, no more than asked."""
    first, second, third = summarise_quarantine(lake, run_date=DAY, head=3).examples
    assert (first.rule, first.broken_value, first.row_number) == ("item_id_missing", "", 3)
    assert first.original == {
        "user_id": "u1", "item_id": "", "event_type": "view", "timestamp": at(2), "page": "home",
    }  # fmt: skip
    assert (second.rule, second.broken_value) == ("event_type_unknown", "stare")
    assert (third.rule, third.broken_value) == ("user_id_missing", None)
    assert len(summarise_quarantine(lake, head=100).examples) == 7
    (of_rule,) = summarise_quarantine(lake, rule="event_type_unknown", head=1).examples
    assert of_rule.source_file.endswith("a.parquet")


@pytest.mark.parametrize(
    ("row", "rule", "value"),
    [
        (("", "i", "view", at(1)), "user_id_missing", ""),
        (("u", None, "view", at(1)), "item_id_missing", None),
        (("u", "i", "gaze", at(1)), "event_type_unknown", "gaze"),
        (("u", "i", "view", at(30)), "timestamp_in_future", "2026-09-11 06:00:00.000000+00:00"),
        (("u", "i", "view", at(-24 * 5)), "too_late", "2026-09-05 00:00:00.000000+00:00"),
        (
            ("u", "i", "view", at(-24 * 10_000)),
            "timestamp_ancient",
            "1999-04-25 00:00:00.000000+00:00",
        ),
        (("u", "i", "view", None), "timestamp_missing", None),
        (good_rows(1)[0], "duplicate", "u0 | i0 | view | 2026-09-10 01:00:00.000000+00:00"),
    ],
)
def test_every_rule_keeps_the_value_that_broke_it(tmp_path, row, rule, value):
    """As text, under a name that the log's columns do not have."""
    write_day(tmp_path, [*good_rows(2), row], broken_value=7)
    ingest(night(tmp_path))
    (shown,) = summarise_quarantine(tmp_path, head=9).examples
    assert (shown.rule, shown.broken_value, shown.row_number) == (rule, value, 2)
    assert shown.original["original_broken_value"] == 7


def test_a_bot_is_told_by_its_id_in_the_log_s_own_column(tmp_path):
    """Whatever the column is called, and whatever type it has."""
    rows = [(7, f"i{n}", "view", at(n / 10)) for n in range(4)]
    write_day(tmp_path, [*rows, (8, "i", "view", at(1))], schema=SCHEMA | {"user_id": pl.Int32()})
    ingest(night(tmp_path, validation={"max_events_per_user_day": 3, "max_bad_share": 1.0}))
    examples = summarise_quarantine(tmp_path, head=9).examples
    assert [(each.rule, each.broken_value) for each in examples] == [("bot", "7")] * 4


def test_parts_without_values_and_torn_ones(lake):
    """What an older version wrote is counted; what cannot be read is named."""
    part = sorted(quarantine_folder(lake, DAY).glob("*"))[0]
    pl.read_parquet(part).drop("broken_value").write_parquet(part)
    assert summarise_quarantine(lake, head=2).examples[1].broken_value is None
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(ContractViolationError, match=f"{part.name} must be a whole Parquet file"):
        summarise_quarantine(lake)


def test_no_lake_and_no_quarantine(tmp_path):
    """One is an error, the other is none."""
    assert summarise_quarantine(tmp_path).rows == 0
    with pytest.raises(ConfigError, match="no lake at"):
        summarise_quarantine(tmp_path / "no")
