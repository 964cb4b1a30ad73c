"""Days are judged when something has come for them, and used as they are by every other night."""

import shutil
from datetime import timedelta

import polars as pl

from tasks.history.history import build_history
from tasks.history.history_part import parts_folder
from tasks.history.history_shard import read_history
from tasks.housekeeping import drop_old_state
from tasks.ingest.ingest import ingest
from tests.history_bytes import history_bytes
from tests.tiny_lake import DAY, SCHEMA, at, good_rows, night, write_day

DAYS = [DAY + timedelta(days=k) for k in range(4)]
SHARDS = {"history": {"n_user_shards": 2}}
WITH_IDS = {"interactions": {"columns": {"event_id": "event"}, "look_back_days": 2}}


def run(lake, day, **sections):
    """Ingest and update the history of a night."""
    tonight = night(lake, day, **(SHARDS | sections))
    return tonight, build_history(tonight, ingest(tonight))


def written(lake):
    """When each part was written."""
    return {path.name: path.stat().st_mtime_ns for path in parts_folder(lake).iterdir()}


def days_by_part(history):
    """Days that a history reads, part by part."""
    return sorted(part.days for part in history.parts)


def test_a_night_judges_the_days_that_something_has_come_for(tmp_path):
    """Its own, and one that a late row came for; the history is that of all days at once."""
    for day in DAYS[:3]:
        write_day(tmp_path, good_rows(day=day), day=day)
        _, history = run(tmp_path, day)
    before = written(tmp_path)
    assert days_by_part(history) == [(day,) for day in DAYS[:3]]
    write_day(tmp_path, good_rows(day=DAYS[3]), day=DAYS[3])
    write_day(tmp_path, [("late", "i1", "view", at(2, DAYS[1]))], day=DAYS[1], name="late")
    tonight, history = run(tmp_path, DAYS[3])
    assert days_by_part(history) == [(DAYS[0],), (DAYS[1], DAYS[3]), (DAYS[2],)]
    assert written(tmp_path).items() > before.items()
    at_once = tmp_path / "at-once"
    shutil.copytree(tmp_path / "interactions", at_once / "interactions")
    other, history = run(at_once, DAYS[3])
    assert days_by_part(history) == [tuple(DAYS)]
    assert history_bytes(other.step("history")) == history_bytes(tonight.step("history"))


def test_of_a_part_only_the_days_that_still_stand_are_read(tmp_path):
    """The first night wrote all days as one part; later one of them changes."""
    for day in DAYS[:3]:
        write_day(tmp_path, good_rows(day=day), day=day)
    run(tmp_path, DAYS[2])
    write_day(tmp_path, good_rows(day=DAYS[3]), day=DAYS[3])
    write_day(tmp_path, good_rows(day=DAYS[1])[:2], day=DAYS[1])  # the file changed
    tonight, history = run(tmp_path, DAYS[3])
    assert days_by_part(history) == [(DAYS[0], DAYS[2]), (DAYS[1], DAYS[3])]
    assert read_history(tonight.step("history"))["n_events"].sum() == 6 + 2 + 6 + 6
    assert sum(file.replaced for file in history.log_files) == 6


def test_many_small_parts_become_one(tmp_path):
    """Their number ends, however many nights; nights that are run again read what they read."""
    days = [DAY + timedelta(days=k) for k in range(35)]
    numbers = []
    for k, day in enumerate(days):
        write_day(tmp_path, [("ann", f"i{k}", "view", at(1, day))], day=day)
        tonight, history = run(tmp_path, day)
        numbers.append(len(history.parts))
    assert numbers == [*range(1, 17), 1, *range(2, 18), 2, 3]
    assert days_by_part(history)[0] == tuple(days[:17])
    before = history_bytes(tonight.step("history"))
    again, history = run(tmp_path, days[20])
    assert read_history(again.step("history")).height == 21
    other, _ = run(tmp_path, days[-1])
    assert history_bytes(other.step("history")) == before
    at_once = tmp_path / "at-once"
    shutil.copytree(tmp_path / "interactions", at_once / "interactions")
    other, _ = run(at_once, days[-1])
    assert history_bytes(other.step("history")) == before


def test_a_part_that_is_lost_is_written_again(tmp_path):
    """Nothing else is needed than what the nights have read."""
    for day in DAYS[:2]:
        write_day(tmp_path, good_rows(day=day), day=day)
        tonight, history = run(tmp_path, day)
    before = history_bytes(tonight.step("history"))
    shutil.rmtree(parts_folder(tmp_path))
    assert run(tmp_path, DAYS[1])[1].log_files == history.log_files
    assert history_bytes(tonight.step("history")) == before


def test_parts_go_that_no_kept_night_reads(tmp_path):
    """A day as it was before it changed is read by the night before, and then by none."""
    write_day(tmp_path, good_rows(), day=DAY)
    run(tmp_path, DAY)
    (first,) = written(tmp_path)
    for day in DAYS[1:]:
        write_day(tmp_path, good_rows(day=day), day=day)
        write_day(tmp_path, good_rows()[:2], day=DAY)  # the same change but once
        tonight, _ = run(tmp_path, day)
        drop_old_state(tonight)
        assert (first in written(tmp_path)) == (day == DAYS[1])


def test_an_event_id_tells_one_event_within_the_look_back_days(tmp_path):
    """Told again on a later day it is a repeat; long after that it is another event."""
    schema = SCHEMA | {"event": pl.String()}
    hours = {DAYS[0]: 1, DAYS[1]: 2, DAYS[3]: 23}
    for day in DAYS:
        rows = [("ann", "tea", "view", at(hours[day], day), "a")] if day in hours else []
        write_day(tmp_path, [*rows, ("eve", "cup", "view", at(1, day), str(day))], day=day,
                  schema=schema)  # fmt: skip
        tonight, history = run(tmp_path, day, **WITH_IDS)
    found = read_history(tonight.step("history")).filter(pl.col("user_id") == "ann")
    assert found["n_events"].to_list() == [2]
    assert found["last_seen"].to_list() == [at(23, DAYS[3])]
    assert [file.duplicates for file in history.log_files] == [0, 1, 0, 0]
    again = tmp_path / "at-once"
    shutil.copytree(tmp_path / "interactions", again / "interactions")
    other, _ = run(again, DAYS[3], **WITH_IDS)
    assert history_bytes(other.step("history")) == history_bytes(tonight.step("history"))


def test_a_lake_that_is_made_anew_reads_its_own_codes(tmp_path):
    """In one process, at one place, with the same items under other codes."""
    found = []
    for order in (DAYS[:2], DAYS[1:2]):  # the first night of the second lake meets all at once
        shutil.rmtree(tmp_path / "state", ignore_errors=True)
        for number, day in enumerate(DAYS[:2]):
            item = ["z", "a"][number]
            write_day(tmp_path, [("ann", item, "view", at(1, day))], day=day)
        if len(order) == 2:
            (late,) = (tmp_path / "interactions" / f"date={DAYS[1]}").iterdir()
            late.rename(tmp_path / "later.parquet")
            run(tmp_path, DAYS[0])
            (tmp_path / "later.parquet").rename(late)
        tonight, _ = run(tmp_path, DAYS[1])
        rows = read_history(tonight.step("history"))
        found.append(rows.select("item_id", "last_seen").sort("item_id").rows())
    assert found[0] == found[1] == [("a", at(1, DAYS[1])), ("z", at(1, DAYS[0]))]
