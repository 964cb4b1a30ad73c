"""Snapshots: published as a whole, latest swapped last and never back, old ones removed."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import tasks.snapshot.snapshot
from tasks.snapshot.lease import leased
from tasks.snapshot.snapshot import (
    DamagedSnapshotError,
    NoSnapshotError,
    latest_snapshot,
    reading,
    snapshots,
    verify_snapshot,
)
from tests.published import FIRST, TABLES, publish, reads_as_one

ROOT = Path(__file__).parents[3]


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
    path = tmp_path / first.path / TABLES[0] / "part.txt"
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
    half = tmp_path / "snapshots" / "2026-09-01-v1" / TABLES[0]
    half.mkdir(parents=True)
    assert names(tmp_path) == []
    publish(tmp_path, 0)
    assert names(tmp_path) == ["2026-09-01-v1"]
    assert (half / "part.txt").is_file()


def test_a_snapshot_stays_while_it_is_read(tmp_path):
    """A reader keeps reading what it resolved, and the next publication removes it."""
    publish(tmp_path, 0, keep=1)
    with reading(tmp_path) as (folder, manifest):
        assert publish(tmp_path, 1, keep=1).removed == ()
        assert publish(tmp_path, 2, keep=1).removed == ("2026-09-02-v1",)
        assert verify_snapshot(folder) == manifest
        with reading(tmp_path) as (newer, _):
            assert newer.name == "2026-09-03-v1"
        assert leased(tmp_path) == {"2026-09-01-v1"}
    assert publish(tmp_path, 3, keep=1).removed == ("2026-09-01-v1", "2026-09-03-v1")


def test_a_reader_overtaken_by_a_publication_takes_the_newer_snapshot(tmp_path, monkeypatch):
    """Its first snapshot goes between finding it and holding it."""
    publish(tmp_path, 0, keep=1)
    original = tasks.snapshot.snapshot.leasing
    nights = iter([1, 2])

    def late(lake, snapshot_id):
        for ago in nights:
            publish(lake, ago, keep=1)
        return original(lake, snapshot_id)

    monkeypatch.setattr(tasks.snapshot.snapshot, "leasing", late)
    with reading(tmp_path) as (folder, _):
        assert verify_snapshot(folder).snapshot_id == "2026-09-03-v1"
    assert leased(tmp_path) == frozenset()


@pytest.mark.parametrize("damage", ["short", "gone", "changed"])
def test_damage_is_told_and_mended_by_publishing_again(tmp_path, damage):
    """Sizes are looked at on every read, digests when asked; latest never dangles meanwhile."""
    path = tmp_path / publish(tmp_path, 0).path / TABLES[0] / "part.txt"
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[:-1] + (b"?" if damage == "changed" else b""))
    told = {"short": "must have 13 bytes as its manifest says, got 12", "gone": "got no file",
            "changed": "must have the digest"}[damage]  # fmt: skip
    with pytest.raises(DamagedSnapshotError, match=f"part.txt.*{told}.*2026-09-01"):
        verify_snapshot(tmp_path / "latest")
    if damage != "changed":
        with pytest.raises(DamagedSnapshotError, match=told), reading(tmp_path):
            pass
        publish(tmp_path, 0)
        assert verify_snapshot(tmp_path / "latest").snapshot_id == "2026-09-01-v1"
        assert path.read_bytes() == content


def test_a_link_to_nothing_is_damage_and_not_an_empty_lake(tmp_path):
    """Somebody removed the folder by hand; the next publication mends it."""
    folder = tmp_path / publish(tmp_path, 0).path
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(DamagedSnapshotError, match=r"must hold manifest.json, got none"):
        latest_snapshot(tmp_path)
    with pytest.raises(DamagedSnapshotError, match=r"must hold manifest.json, got none"):
        verify_snapshot(folder)
    publish(tmp_path, 1)
    assert latest_snapshot(tmp_path)[0].name == "2026-09-02-v1"


def test_what_a_killed_night_was_removing_goes(tmp_path):
    """The snapshot is out of sight already, its files go with the next publication."""
    publish(tmp_path, 0)
    half = tmp_path / "state" / "staging" / "removed" / "2026-08-01-v1"
    half.mkdir(parents=True)
    publish(tmp_path, 1)
    assert not half.parent.exists()


def test_notes_and_keys_of_the_step_are_not_published(tmp_path):
    """A snapshot holds what its manifest names, and the manifest."""
    folder = tmp_path / publish(tmp_path, 0).path
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*(f"{table}/part.txt" for table in TABLES), "manifest.json"}


def test_files_from_the_future_change_nothing(tmp_path):
    """A clock that jumped back leaves them; only run dates say what is newer."""
    publish(tmp_path, 0, keep=2)
    publish(tmp_path, 1, keep=2)
    for path in [tmp_path, *tmp_path.rglob("*")]:
        os.utime(path, (4e9, 4e9), follow_symlinks=False)
    assert publish(tmp_path, 2, keep=2).removed == ("2026-09-01-v1",)
    assert not publish(tmp_path, 0, keep=2).is_latest
    with reading(tmp_path) as (folder, manifest):
        assert manifest.run_date == FIRST + timedelta(days=2)
        assert reads_as_one(folder, manifest)


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_disk_trouble_leaves_the_last_snapshot(tmp_path, trouble):
    """A disk of its own is really full, or really read-only; see tests/tasks/disk_trouble.py."""
    own_mounts = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*own_mounts, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk of his own (unshare --mount)")
    command = [*own_mounts, sys.executable, "-m", "tests.tasks.disk_trouble", tmp_path, trouble]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["stopped", "stopped", "untouched", "mended"]
