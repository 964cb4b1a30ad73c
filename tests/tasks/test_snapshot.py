"""Snapshots: published as a whole, latest swapped last and never back, old ones removed."""

from datetime import date, timedelta

import pytest

from data_contracts.config import NightlyConfig
from data_contracts.manifests import CheckManifest, SnapshotManifest
from tasks.lake import Night
from tasks.snapshot import NoSnapshotError, latest_snapshot, publish_snapshot, snapshots
from tasks.steps import commit, entries

FIRST = date(2026, 9, 1)


def publish(lake, ago, version="1", keep=3):
    """Publish a snapshot of one file for a day."""
    run_date = FIRST + timedelta(days=ago)
    config = NightlyConfig(lake=str(lake), tables={"keep_snapshots": keep})
    night = Night(config=config, run_date=run_date)
    staging = lake / "staged"
    (staging / "top_n").mkdir(parents=True)
    (staging / "top_n" / "part.txt").write_text(f"{run_date} {version}", encoding="utf-8")
    snapshot = SnapshotManifest(
        step="materialise", run_date=run_date, key="k", snapshot_id=f"{run_date}-v{version}",
        files=entries(staging, {"top_n/part.txt": 1}), model_version=version, config_digest="",
        code_version="", inputs={}, rows={"top_n": 1}, fallback_share=0.0, short_lists=0,
    )  # fmt: skip
    commit(staging, night.step("materialise"), snapshot)
    check = CheckManifest(step="check", run_date=run_date, key="k", rules={}, users=1)
    return publish_snapshot(night, snapshot, check)


def names(lake):
    """Ids of the snapshots that are there."""
    return [each.snapshot_id for each in snapshots(lake)]


def test_lake_without_a_snapshot_says_so(tmp_path):
    """A reader gets a sentence."""
    with pytest.raises(NoSnapshotError, match="nothing has been published"):
        latest_snapshot(tmp_path)


def test_latest_shows_the_newest_run_date_and_never_goes_back(tmp_path):
    """An old night that is run again is published beside, not in front."""
    assert publish(tmp_path, 1).is_latest
    assert not publish(tmp_path, 0).is_latest
    assert latest_snapshot(tmp_path)[1].run_date == FIRST + timedelta(days=1)
    assert publish(tmp_path, 1, version="2").is_latest
    assert latest_snapshot(tmp_path)[0].name == "2026-09-02-v2"


def test_publishing_again_changes_nothing(tmp_path):
    """The files stay the very same ones; a reader who resolved the folder keeps reading."""
    first = publish(tmp_path, 0)
    path = tmp_path / first.path / "top_n" / "part.txt"
    before = (path.stat().st_ino, path.stat().st_mtime_ns)
    assert publish(tmp_path, 0) == first
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == before


def test_old_snapshots_go_and_the_shown_one_stays(tmp_path):
    """Three are kept, whatever order they came in."""
    for ago in (4, 0, 1, 2):
        publish(tmp_path, ago)
    assert names(tmp_path) == ["2026-09-02-v1", "2026-09-03-v1", "2026-09-05-v1"]
    assert publish(tmp_path, 5, keep=1).removed == (
        "2026-09-02-v1",
        "2026-09-03-v1",
        "2026-09-05-v1",
    )
    assert names(tmp_path) == ["2026-09-06-v1"] == [latest_snapshot(tmp_path)[0].name]


def test_half_written_snapshot_is_no_snapshot(tmp_path):
    """A folder without a manifest is not listed, and is replaced when its night publishes."""
    half = tmp_path / "snapshots" / "2026-09-01-v1" / "top_n"
    half.mkdir(parents=True)
    assert names(tmp_path) == []
    publish(tmp_path, 0)
    assert names(tmp_path) == ["2026-09-01-v1"]
    assert (half / "part.txt").is_file()
