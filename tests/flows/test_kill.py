"""Kill a night inside every step; start it again; the tables are those of an undisturbed night."""

import functools
import shutil
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from tasks.sample.sample_lake import write_sample_lake
from tasks.snapshot.snapshot import NoSnapshotError, latest_snapshot
from tasks.steps import is_whole
from tests.flows.kill_inside import run_until
from tests.lenient_gate import make_lenient
from tests.run_record import run_record
from tests.snapshot_bytes import snapshot_bytes

POINTS = (
    "ingest", "table_rules", "log_drift", "history", "matrices", "epoch", "train", "judge",
    "registered", "aliases", "promote", "materialise", "check", "snapshot", "placed", "pointed",
    "publish",
)  # fmt: skip


def run_night(context, lake: Path, run_date: str, point: str) -> int:
    """Run one night in a process of its own; return its exit code."""
    arguments = (point, str(lake / "hoarfrost.toml"), run_date, PREFECT_API_URL.value())
    night = context.Process(target=run_until, args=arguments)
    night.start()
    night.join(timeout=300)
    return night.exitcode


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
@pytest.mark.usefixtures("prefect_api")  # one for all: a killed night would leave its own
def test_killed_night_resumes_to_the_same_tables(tmp_path, forkserver, migrated_mlflow):
    """Every step is cut short once on the second night; latest stays on the first until the end.

    MLflow ends with the same runs, too: no point of a curve, data set or model twice.
    """
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    for lake in (undisturbed, killed):
        sample = write_sample_lake(lake, seed=7, n_users=400, n_items=150, n_days=8)
        make_lenient(lake / "hoarfrost.toml")
        (lake / "mlflow").mkdir()
        shutil.copy(migrated_mlflow, lake / "mlflow" / "mlflow.db")
    first, second = (str(sample.run_date + timedelta(days=n)) for n in (-1, 0))
    run = functools.partial(run_night, forkserver)
    assert run(undisturbed, first, "none") == run(killed, first, "none") == 0
    before, _ = latest_snapshot(killed)
    for point in POINTS:
        assert run(killed, second, point) == -signal.SIGKILL, point
        published = point in ("pointed", "publish")
        assert_latest_is_whole(killed, None if published else before.name)
    assert run(killed, second, "none") == run(undisturbed, second, "none") == 0
    assert snapshot_bytes(killed) == snapshot_bytes(undisturbed)
    assert run_record(killed) == run_record(undisturbed)
    assert latest_snapshot(killed)[0].name == latest_snapshot(undisturbed)[0].name != before.name
