"""Kill materialising and publishing at random moments: tables come out the same, latest opens.

``HOARFROST_KILLS`` says how often (25). A failure names the seed; ``HOARFROST_KILL_SEED`` draws
the same moments again.
"""

import multiprocessing
import os
import random
import shutil
import signal
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from tasks.sample_lake import write_sample_lake
from tasks.snapshot import TABLES, reading, verify_snapshot
from tests.flows import kill_anywhere
from tests.snapshot_bytes import snapshot_bytes

N_KILLS = int(os.environ.get("HOARFROST_KILLS", "25"))
SEED = int(os.environ.get("HOARFROST_KILL_SEED", str(random.randrange(10**6))))
TARGET = "s3://tables/shop"
MADE = ("materialise", "check", "publish")


class Prepared(NamedTuple):
    """A lake with one night published and the next one promoted."""

    lake: Path
    context: multiprocessing.context.ForkServerContext
    night: tuple[Path, object]  # configuration and run date of the second one
    first: str  # the snapshot that is published

    def finish(self, die_at=None, after=None, night=None):
        """Finish a night in a process; return its exit code and what it told."""
        ready, said = self.context.Event(), self.context.SimpleQueue()
        arguments = (*(night or self.night), die_at, ready, said)
        process = self.context.Process(target=kill_anywhere.finish, args=arguments)
        process.start()
        if after is not None and ready.wait(timeout=60):
            time.sleep(after)
            with suppress(ProcessLookupError):  # it was done
                os.kill(process.pid, signal.SIGKILL)
        process.join()
        return process.exitcode, None if said.empty() else said.get()

    def reset(self, made=MADE):
        """Go back to where these steps were not done yet, latest on the first snapshot."""
        night = self.lake / "state" / "nights" / f"run_date={self.night[1]}"
        for folder in (*(night / step for step in made), self.lake / "state" / "staging"):
            shutil.rmtree(folder, ignore_errors=True)
        (self.lake / "latest").unlink()
        (self.lake / "latest").symlink_to(Path("snapshots") / self.first)
        for folder in (self.lake / "snapshots").iterdir():
            if folder.name != self.first:
                shutil.rmtree(folder)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, migrated_mlflow):
    """Prepare a lake; what is done to it is done in processes forked from one that did nothing."""
    lake = tmp_path_factory.mktemp("killed")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.flows.kill_anywhere"])
    sample = write_sample_lake(lake, seed=7, n_users=150, n_items=80, n_days=7)
    config = lake / "hoarfrost.toml"
    text = config.read_text(encoding="utf-8").replace("# target =", f'target = "{TARGET}"  #')
    (lake / "remote.toml").write_text(text, encoding="utf-8")
    (lake / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, lake / "mlflow" / "mlflow.db")
    nights = [(config, sample.run_date + timedelta(days=ago)) for ago in (-1, 0)]
    for night in nights:
        process = context.Process(target=kill_anywhere.prepare, args=night)
        process.start()
        process.join()
        assert process.exitcode == 0
    lone = Prepared(lake, context, nights[1], "")
    assert lone.finish(night=nights[0])[0] == 0
    with reading(lake) as (folder, _):
        return lone._replace(first=folder.name)


def assert_latest_opens(lake, allowed):
    """Latest shows a whole snapshot, one of those allowed, and every table can be read."""
    with reading(lake) as (folder, manifest):
        assert verify_snapshot(folder).snapshot_id == manifest.snapshot_id in allowed
        for table in TABLES:
            rows = pl.scan_parquet(folder / table / "**" / "*.parquet").select(pl.len()).collect()
            assert rows.item() == manifest.rows[table]


def moments(n_touches, seconds):
    """Draw kill points for ever: half by touches of the lake, half by time."""
    print(f"kills of seed {SEED}: {n_touches} touches in {seconds:.2f} s")
    draw = random.Random(SEED)
    while True:
        yield {"die_at": draw.randint(1, n_touches)}
        yield {"after": draw.uniform(0, seconds)}


def kill_often(prepared, n_kills, undisturbed, check):
    """Kill, look, go on; whenever a night gets through, compare it and begin anew."""
    code, (touches, seconds) = undisturbed
    assert code == 0
    expected = check()
    killed = compared = 0
    prepared.reset()
    for moment in moments(touches, seconds):
        code, _ = prepared.finish(**moment)
        assert code in (0, -signal.SIGKILL), (SEED, killed, moment)
        killed += code != 0
        found = check()
        if code == 0:
            assert found == expected, (SEED, killed, moment)
            compared += 1
            prepared.reset()
        if killed == n_kills:
            break
    assert prepared.finish()[0] == 0
    assert check() == expected
    print(f"{killed} kills, {compared + 1} nights compared")


@pytest.mark.slow
def test_tables_are_the_same_and_latest_opens_however_often_it_is_killed(prepared):
    """Files written before the kill are used again, and no byte of the snapshot differs."""
    prepared.reset()
    undisturbed = prepared.finish()
    names = {path.name for path in (prepared.lake / "snapshots").iterdir()}

    def check():
        assert_latest_opens(prepared.lake, names)
        return snapshot_bytes(prepared.lake)

    kill_often(prepared, N_KILLS, undisturbed, check)
