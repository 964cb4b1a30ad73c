"""Ingest: every rule with a failing row and a passing one beside it, late files, thresholds."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import ConfigError, ContractViolationError, TooLittleDataError
from data_contracts.interactions import INTERACTION_RULES, ROW_RULES, USER_RULES
from tasks.ingest.ingest import ingest
from tasks.lake import quarantine_folder
from tests.tiny_lake import DAY, SCHEMA, at, good_rows, night, quarantined, write_day

GOOD, GOOD_YESTERDAY = (("u1", "i1", "view", at(hours)) for hours in (8, -8))
BAD_ROWS = {
    "user_id_missing": [(None, "i1", "view", at(8)), ("", "i1", "view", at(8))],
    "item_id_missing": [("u1", None, "view", at(8)), ("u1", "", "view", at(8))],
    "user_id_unfit": [("u" * 1_025, "i1", "view", at(8)), ("é" * 10**6, "i1", "view", at(8))],
    "item_id_unfit": [("u1", "i" * 1_025, "view", at(8))],
    "timestamp_missing": [("u1", "i1", "view", None)],
    "event_type_unknown": [("u1", "i1", "stare", at(8)), ("u1", "i1", None, at(8))],
    "timestamp_ancient": [("u1", "i1", "view", datetime(1970, 1, 1, tzinfo=UTC))],
    "timestamp_in_future": [("u1", "i1", "view", at(24)), ("u1", "i1", "view", at(99))],
    "too_late": [("u1", "i1", "view", at(-73)), ("u1", "i1", "view", at(-999))],
    "duplicate": [GOOD],
}


def test_every_row_and_user_rule_has_a_bad_row_here():
    """A new rule needs a new row."""
    elsewhere = {"bot", "value_unfit"}  # the latter in test_event_columns
    assert {*BAD_ROWS, *elsewhere} == {*ROW_RULES, *USER_RULES}


@pytest.mark.parametrize(
    ("rule", "row"), [(rule, row) for rule, rows in BAD_ROWS.items() for row in rows]
)
def test_bad_row_is_quarantined_under_its_rule_and_the_good_one_stays(tmp_path, rule, row):
    """File, row number and original columns tell which row it was."""
    write_day(tmp_path, [GOOD, row], page="home", rule="theirs")
    manifest = ingest(night(tmp_path))
    assert quarantined(tmp_path) == [("part-0.parquet", 1, rule)]
    assert (manifest.rows, manifest.accepted, manifest.quarantined) == (2, 1, {rule: 1})
    (part,) = quarantine_folder(tmp_path, DAY).glob("*.parquet")
    refused = pl.read_parquet(part)
    assert refused.select("user_id", "item_id", "event_type", "timestamp").row(0) == row
    assert refused.select("page", "original_rule").row(0) == ("home", "theirs")


@pytest.mark.parametrize("hours", [0, 23.999, -71.9])
def test_bounds_of_the_day_are_kept(tmp_path, hours):
    """The first and the last moment of the day, and three days of delay, are fine."""
    write_day(tmp_path, [("u1", "i1", "view", at(hours))])
    assert ingest(night(tmp_path)).accepted == 1
    assert quarantined(tmp_path) == []


def test_bot_loses_its_day_and_keeps_the_others(tmp_path):
    """All rows of the busy day go; another day of the same user stays."""
    busy = [("bot", f"i{k}", "view", at(k / 100)) for k in range(12)]
    write_day(tmp_path, [("bot", "i1", "view", at(-20)), *busy, GOOD])
    manifest = ingest(
        night(tmp_path, validation={"max_events_per_user_day": 11, "max_bad_share": 1})
    )
    assert [row for _, row, rule in quarantined(tmp_path) if rule == "bot"] == list(range(1, 13))
    assert manifest.accepted == 2


def test_log_that_is_delivered_twice_makes_no_bot(tmp_path):
    """Events count, not rows; a bot's repeats are repeats all the same."""
    rows = [("u1", f"i{k}", "view", at(k)) for k in range(8)]
    for name in "ab":
        write_day(tmp_path, rows, name=name)
    limits = {"max_bad_share": 1.0, "max_events_per_user_day": 8}
    manifest = ingest(night(tmp_path, validation=limits))
    assert (manifest.accepted, manifest.quarantined) == (8, {"duplicate": 8})
    write_day(tmp_path, [GOOD, *((user, f"j{k}", "view", at(k)) for user in ("u1", "u2")
                                 for k in range(8))], name="a")  # fmt: skip
    manifest = ingest(night(tmp_path, validation=limits))
    assert (manifest.accepted, manifest.quarantined) == (8, {"bot": 17})


def test_missing_empty_and_small_days_are_told_apart(tmp_path):
    """Each stops the night with its own word, and quarantine can be looked at."""
    with pytest.raises(TooLittleDataError, match="is missing"):
        ingest(night(tmp_path))
    write_day(tmp_path, [(None, "i1", "view", at(8))])
    with pytest.raises(TooLittleDataError, match="is empty"):
        ingest(night(tmp_path))
    assert quarantined(tmp_path) == [("part-0.parquet", 0, "user_id_missing")]
    for ago in range(1, 5):
        day = DAY - timedelta(days=ago)
        write_day(tmp_path, good_rows(20, day), day=day)
    write_day(tmp_path, [GOOD])
    with pytest.raises(
        TooLittleDataError, match=r"suspiciously small: 1 good rows are 5\.0% of the"
    ):
        ingest(night(tmp_path))
    assert not night(tmp_path).step("ingest").exists()


def test_too_many_bad_rows_stop_the_night(tmp_path):
    """The message counts by rule and names the worst file."""
    write_day(tmp_path, [GOOD, *BAD_ROWS["user_id_missing"]])
    with pytest.raises(ContractViolationError, match=r"user_id_missing 2.*part-0.parquet \(2\)"):
        ingest(night(tmp_path, validation={"max_bad_share": 0.5}))
    with pytest.raises(ContractViolationError, match="max_bad_rows 1 allow"):
        ingest(night(tmp_path, validation={"max_bad_share": 1.0, "max_bad_rows": 1}))


@pytest.mark.parametrize("content", [b"", b"not parquet at all", b"PAR1garbagePAR1"])
def test_broken_file_of_an_earlier_day_lets_that_day_wait(tmp_path, content):
    """Its sibling waits too; when the file is mended, the next night takes the day."""
    yesterday = DAY - timedelta(days=1)
    write_day(tmp_path, good_rows(6, yesterday), day=yesterday, name="whole")
    broken = write_day(tmp_path, [], day=yesterday, name="broken")
    broken.write_bytes(content)
    write_day(tmp_path, good_rows())
    manifest = ingest(night(tmp_path))
    assert manifest.accepted_by_day == {DAY: 6}
    assert quarantined(tmp_path) == [
        ("broken.parquet", None, "unreadable_file"),
        ("whole.parquet", None, "day_waits"),
    ]
    write_day(tmp_path, good_rows(2, yesterday), day=yesterday, name="broken")
    tomorrow = DAY + timedelta(days=1)
    write_day(tmp_path, good_rows(6, tomorrow), day=tomorrow)
    assert ingest(night(tmp_path, tomorrow)).accepted_by_day == {yesterday: 6, tomorrow: 6}


def test_every_broken_file_of_a_day_is_named(tmp_path):
    """Each with its own reason, the whole one with the day's."""
    yesterday = DAY - timedelta(days=1)
    for name in "abc":
        path = write_day(tmp_path, good_rows(2, yesterday), day=yesterday, name=name)
    path.write_bytes(b"")
    pl.DataFrame({"user_id": ["u"]}).write_parquet(path.with_name("a.parquet"))
    write_day(tmp_path, good_rows())
    manifest = ingest(night(tmp_path))
    assert quarantined(tmp_path) == [
        ("a.parquet", None, "wrong_columns"),
        ("b.parquet", None, "day_waits"),
        ("c.parquet", None, "unreadable_file"),
    ]
    assert manifest.refused_files[1].reason.endswith("a.parquet and 1 more")


def test_broken_file_of_the_run_date_stops_the_night(tmp_path):
    """The file is named and so is what to do."""
    path = write_day(tmp_path, good_rows())
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ContractViolationError, match=r"part-0\.parquet .*mend or remove"):
        ingest(night(tmp_path))
    assert quarantined(tmp_path) == [("part-0.parquet", None, "unreadable_file")]


def test_late_file_is_taken_inside_the_window_only(tmp_path):
    """What came before is not taken again."""
    for ago in (9, 1, 0):
        day = DAY - timedelta(days=ago)
        write_day(tmp_path, good_rows(6, day), day=day)
    assert ingest(night(tmp_path)).accepted == 18
    tomorrow = DAY + timedelta(days=1)
    for ago, name in ((10, "old"), (2, "late"), (0, "part-0")):
        day = tomorrow - timedelta(days=ago)
        write_day(tmp_path, good_rows(4, day), day=day, name=name)
    manifest = ingest(night(tmp_path, tomorrow))
    assert [file.path.rsplit("/", 1)[1] for file in manifest.log_files] == [
        "late.parquet",
        "part-0.parquet",
    ]
    assert quarantined(tmp_path, tomorrow) == [("old.parquet", None, "too_late_file")]


def test_same_night_is_not_read_twice(tmp_path):
    """Neither a second call nor a touched file changes anything; changed content does."""
    path = write_day(tmp_path, good_rows())
    first = ingest(night(tmp_path))
    path.touch()
    assert ingest(night(tmp_path)) == first
    write_day(tmp_path, good_rows(5))
    assert ingest(night(tmp_path)).accepted == 5


def test_number_of_shards_is_fixed_for_the_life_of_a_lake(tmp_path):
    """A user must not be in two shards."""
    write_day(tmp_path, good_rows())
    ingest(night(tmp_path))
    tomorrow = DAY + timedelta(days=1)
    write_day(tmp_path, good_rows(6, tomorrow), day=tomorrow)
    with pytest.raises(ConfigError, match=r"n_user_shards must stay 4 .* got 5"):
        ingest(night(tmp_path, tomorrow, history={"n_user_shards": 5}))


def test_every_rule_is_explained():
    """Validate shows a sentence for each."""
    assert all(len(sentence.split()) > 4 for sentence in INTERACTION_RULES.values())


def test_unsigned_ids_beyond_the_signed_ones_are_refused_by_row(tmp_path):
    """They are not missing, and the rows beside them are taken."""
    schema = SCHEMA | {"user_id": pl.UInt64(), "item_id": pl.UInt64()}
    rows = [(2**63, 1, "view", at(1)), (2**63 - 1, 1, "view", at(2)), (1, 2**64 - 1, "view", at(3))]
    write_day(tmp_path, rows, schema=schema)
    manifest = ingest(night(tmp_path))
    assert (manifest.user_id_type, manifest.accepted) == ("integer", 1)
    assert manifest.quarantined == {"item_id_unfit": 1, "user_id_unfit": 1}


def test_bad_rows_beside_text_that_is_no_utf8_make_their_day_wait(tmp_path):
    """Quarantine could not keep them whole; a file without bad rows is taken all the same."""
    days = [DAY - timedelta(days=ago) for ago in (2, 1, 0)]
    for day, rows in zip(
        days, ([(None, "i", "view", None)], [GOOD_YESTERDAY], [GOOD]), strict=True
    ):
        path = write_day(tmp_path, [*rows, *good_rows(1, day)], day=day)
        table = pq.read_table(path)
        broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff\xfe"] * 2).buffers())
        pq.write_table(table.append_column("page", broken) if day != DAY else table, path)
    manifest = ingest(night(tmp_path))
    (refused,) = [file for file in manifest.refused_files if file.partition == days[0]]
    assert (refused.rule, quarantined(tmp_path)[0][1]) == ("unreadable_file", None)
    assert "cannot be read with all their columns" in refused.reason
    assert manifest.accepted_by_day == {days[1]: 2, DAY: 2}
