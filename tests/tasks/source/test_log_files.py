"""Which files of the log a night takes: windows, patterns, and what is no file of the log."""

from datetime import timedelta
from pathlib import Path

import pytest

from tasks.ingest.ingest import ingest
from tasks.source.log_files import list_log
from tasks.source.log_store import log_place
from tests.tiny_lake import DAY, good_rows, night, quarantined, write_day


def days_before(ago):
    """A day before the run date."""
    return DAY - timedelta(days=ago)


def write_days(lake, *agos, **more):
    """Write a day of good rows for each."""
    for ago in agos:
        write_day(lake, good_rows(4, days_before(ago)), day=days_before(ago), **more)


def new_days(listing):
    """How many days before the run date the new files' days lie."""
    return [(DAY - file.partition).days for file in listing.new]


def test_new_lake_takes_its_whole_window_and_no_later_day(tmp_path):
    """Tomorrow is for tomorrow, and what the history would forget at once is not even late."""
    write_days(tmp_path, -1, 0, 9, 10, 400)
    listing = list_log(night(tmp_path, history={"window_days": 10}))
    assert (new_days(listing), listing.late, listing.has_run_date) == ([9, 0], (), True)


def test_lake_without_the_run_date_says_so(tmp_path):
    """Other days do not stand in for it."""
    write_days(tmp_path, -1, 1)
    assert not list_log(night(tmp_path)).has_run_date


def test_nights_that_were_skipped_are_made_up_for(tmp_path):
    """After a week without a night, that week is taken, though the look-back is three days."""
    write_days(tmp_path, 8)
    ingest(night(tmp_path, days_before(8)))
    write_days(tmp_path, *range(8), 9)
    listing = list_log(night(tmp_path))
    assert new_days(listing) == [7, 6, 5, 4, 3, 2, 1, 0]
    assert [(file.partition, file.rule) for file in listing.late] == [
        (days_before(9), "too_late_file")
    ]


def test_days_before_the_window_are_never_late(tmp_path):
    """They were there before the lake, and are not named night after night."""
    write_days(tmp_path, *range(1, 30))
    ingest(night(tmp_path, days_before(1), history={"window_days": 10}))
    write_days(tmp_path, 0)
    listing = list_log(night(tmp_path, history={"window_days": 10}))
    assert (new_days(listing), listing.late) == ([0], ())


def test_late_file_is_named_without_being_read(tmp_path):
    """Its name and its day say enough; a taken file that is rewritten too late is late as well."""
    write_days(tmp_path, 1, 5, 6)
    ingest(night(tmp_path, days_before(1)))
    write_days(tmp_path, 0)
    write_day(tmp_path, good_rows(3, days_before(5)), day=days_before(5))  # of other content
    (tmp_path / "interactions" / f"date={days_before(6)}" / "part-0.parquet").touch()
    unreadable = tmp_path / "interactions" / f"date={days_before(4)}" / "never.parquet"
    unreadable.parent.mkdir()
    unreadable.symlink_to("/proc/self/mem")  # a file whose first byte is an error to read
    listing = list_log(night(tmp_path))
    assert new_days(listing) == [0]
    assert [Path(file.path).name for file in listing.late] == ["part-0.parquet", "never.parquet"]


def test_look_back_is_counted_in_days(tmp_path):
    """The last day inside the window and the first one outside."""
    write_days(tmp_path, 1)
    ingest(night(tmp_path, days_before(1)))
    write_days(tmp_path, 0, 3, 4)
    listing = list_log(night(tmp_path))
    assert new_days(listing) == [3, 0]
    assert [file.partition for file in listing.late] == [days_before(4)]


def test_taken_file_is_known_by_its_content(tmp_path):
    """Touched it is the same one; rewritten inside the window it is a new one."""
    write_days(tmp_path, 1, 0)
    ingest(night(tmp_path, days_before(1)))
    path = tmp_path / "interactions" / f"date={days_before(1)}" / "part-0.parquet"
    path.touch()
    assert new_days(list_log(night(tmp_path))) == [0]
    write_day(tmp_path, good_rows(3, days_before(1)), day=days_before(1))
    assert new_days(list_log(night(tmp_path))) == [1, 0]


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ("logs/{date}.parquet", f"logs/{DAY}.parquet"),
        ("logs/{date}/part-?.parquet", f"logs/{DAY}/part-7.parquet"),
        ("logs/day={date}/*/*.parquet", f"logs/day={DAY}/hour=03/a.parquet"),
        ("*/[raw]/{date}_*.parquet", f"shop/[raw]/{DAY}_eu.parquet"),
    ],
)
def test_pattern_may_have_any_layout(tmp_path, files, place):
    """The date is read from where the pattern has it; brackets are plain text."""
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    write_day(tmp_path, good_rows()).rename(path)
    tonight = night(tmp_path, interactions={"files": files})
    (file,) = list_log(tonight).new
    assert (file.path, file.partition) == (place, DAY)
    with log_place(tonight).source(file.path).at_hand(tmp_path / "nowhere") as found:
        assert found == path


def test_log_may_lie_outside_the_lake(tmp_path):
    """Then its files are named by their whole path."""
    path = write_day(tmp_path / "a [1] log", good_rows())
    pattern = str(path).replace(str(DAY), "{date}")
    manifest = ingest(night(tmp_path / "lake", interactions={"files": pattern}))
    assert [(file.path, file.accepted) for file in manifest.log_files] == [(str(path), 6)]


def test_folder_of_no_day_is_left_out(tmp_path):
    """A slip in a folder's name does not stop the night."""
    for name in ("date=2026-13-45", "date=2026-9-10", "date=soon"):
        folder = tmp_path / "interactions" / name
        folder.mkdir(parents=True)
        write_day(tmp_path, good_rows(9)).rename(folder / "part-0.parquet")
    write_days(tmp_path, 0)
    assert [file.partition for file in list_log(night(tmp_path)).new] == [DAY]


@pytest.mark.parametrize("is_folder", [True, False])
def test_folder_or_dead_link_in_place_of_a_file_makes_its_day_wait(tmp_path, is_folder):
    """It may be half of a day that is still being copied."""
    write_days(tmp_path, 1, 0)
    place = tmp_path / "interactions" / f"date={days_before(1)}" / "next.parquet"
    if is_folder:
        place.mkdir()
    else:
        place.symlink_to("nowhere.parquet")
    assert ingest(night(tmp_path)).accepted_by_day == {DAY: 4}
    assert quarantined(tmp_path) == [
        ("next.parquet", None, "unreadable_file"),
        ("part-0.parquet", None, "day_waits"),
    ]
