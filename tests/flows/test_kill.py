"""Kill a night inside every step; start it again; the tables are those of an undisturbed night."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tasks.sample_lake import write_sample_lake

from tasks.snapshot import NoSnapshotError, latest_snapshot
from tasks.steps import is_whole
from tests.snapshot_bytes import snapshot_bytes

DRIVER = Path(__file__).with_name("kill_inside.py")
POINTS = (
    "ingest", "history", "matrices", "epoch", "train", "judge", "registered", "aliases",
    "promote", "materialise", "check", "snapshot", "placed", "pointed", "publish",
)  # fmt: skip


def run_night(lake: Path, run_date: str, point: str) -> int:
    """Run one night in a process of its own; return its exit code."""
    arguments = [sys.executable, str(DRIVER), str(lake / "hoarfrost.toml"), run_date, point]
    environment = os.environ | {"PREFECT_LOGGING_LEVEL": "CRITICAL"}
    return subprocess.run(arguments, env=environment, check=False, timeout=300).returncode


def assert_latest_is_whole(lake: Path, expected: str | None) -> None:
    """Latest shows nothing, or a snapshot with all its files."""
    try:
        folder, manifest = latest_snapshot(lake)
    except NoSnapshotError:
        assert not (lake / "latest").exists()
        assert expected is None
        return
    assert is_whole(folder, manifest)
    assert expected is None or manifest.snapshot_id == expected


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_api")
def test_killed_night_resumes_to_the_same_tables(tmp_path):
    """Every step is cut short once on the second night; latest stays on the first until the end."""
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    for lake in (undisturbed, killed):
        sample = write_sample_lake(lake, seed=7, n_users=400, n_items=150, n_days=8)
    first, second = (str(sample.run_date + timedelta(days=n)) for n in (-1, 0))
    assert run_night(undisturbed, first, "none") == run_night(killed, first, "none") == 0
    before, _ = latest_snapshot(killed)
    for point in POINTS:
        assert run_night(killed, second, point) == -signal.SIGKILL, point
        published = point in ("pointed", "publish")
        assert_latest_is_whole(killed, None if published else before.name)
    assert run_night(killed, second, "none") == run_night(undisturbed, second, "none") == 0
    assert snapshot_bytes(killed) == snapshot_bytes(undisturbed)
    assert latest_snapshot(killed)[0].name == latest_snapshot(undisturbed)[0].name != before.name
