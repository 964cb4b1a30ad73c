"""Kill materialising and publishing at random moments: tables come out the same, latest opens.

``HOARFROST_KILLS`` says how often (10). A failure names the seed; ``HOARFROST_KILL_SEED`` draws
the same moments again.
"""

import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import polars as pl
import pytest

from data_contracts.publishing import PublishConfig
from tasks.sample.sample_lake import write_sample_lake
from tasks.snapshot.remote_snapshot import reading_remote
from tasks.snapshot.snapshot import TABLES, reading, verify_snapshot
from tests.bucket import bucket_of, point_to, s3_server
from tests.flows import kill_anywhere
from tests.snapshot_bytes import snapshot_bytes

N_KILLS = int(os.environ.get("HOARFROST_KILLS", "10"))
SEED = int(os.environ.get("HOARFROST_KILL_SEED", str(random.randrange(10**6))))
TARGET = "s3://tables/shop"
MADE = ("materialise", "check", "publish")


class Prepared(NamedTuple):
    """A lake with one night published and the next one promoted."""

    lake: Path
    context: multiprocessing.context.ForkServerContext
    night: tuple[Path, object]  # configuration and run date of the second one
    first: str  # the snapshot that is published
    environment: Mapping[str, str] = MappingProxyType({})

    def finish(self, die_at=None, after=None, night=None):
        """Finish a night in a process; return its exit code and what it told."""
        ready, said = self.context.Event(), self.context.SimpleQueue()
        arguments = (*(night or self.night), dict(self.environment), die_at, ready, said)
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
def prepared(tmp_path_factory, migrated_mlflow, forkserver):
    """Prepare a lake; what is done to it is done in processes forked from one that did nothing."""
    lake = tmp_path_factory.mktemp("killed")
    sample = write_sample_lake(lake, seed=7, n_users=150, n_items=80, n_days=7)
    config = lake / "hoarfrost.toml"
    text = config.read_text(encoding="utf-8").replace("# target =", f'target = "{TARGET}"  #')
    (lake / "remote.toml").write_text(text, encoding="utf-8")
    (lake / "mlflow").mkdir()
    shutil.copy(migrated_mlflow, lake / "mlflow" / "mlflow.db")
    nights = [(config, sample.run_date + timedelta(days=ago)) for ago in (-1, 0)]
    for night in nights:
        process = forkserver.Process(target=kill_anywhere.prepare, args=night)
        process.start()
        process.join()
        assert process.exitcode == 0
    lone = Prepared(lake, forkserver, nights[1], "")
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


def kill_often(prepared, n_kills, *, undisturbed, begin_anew, check):
    """Kill, look, go on; whenever a night gets through, compare it and begin anew."""
    code, (touches, seconds) = undisturbed
    assert code == 0
    expected = check()
    killed = compared = 0
    begin_anew()
    for moment in moments(touches, seconds):
        code, _ = prepared.finish(**moment)
        assert code in (0, -signal.SIGKILL), (SEED, killed, moment)
        killed += code != 0
        found = check()
        if code == 0:
            assert found == expected, (SEED, killed, moment)
            compared += 1
            begin_anew()
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

    kill_often(prepared, N_KILLS, undisturbed=undisturbed, begin_anew=prepared.reset, check=check)


@pytest.fixture
def with_bucket(prepared, monkeypatch):
    """The same lake with an object store besides, the first snapshot in both."""
    with s3_server() as address:
        point_to(monkeypatch, address)
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        config, run_date = prepared.lake / "remote.toml", prepared.night[1]
        remote = prepared._replace(night=(config, run_date), environment=aws)
        assert remote.finish(night=(config, run_date - timedelta(days=1)))[0] == 0
        with reading(prepared.lake) as (folder, _):
            yield remote._replace(first=folder.name)


def remote_bytes():
    """Return the digest of every file of the snapshot that latest.json names."""
    bucket = bucket_of(TARGET)
    with reading_remote(PublishConfig(target=TARGET)) as (uri, manifest):
        folder = uri.removeprefix(f"{TARGET}/")
        found = {path: bucket.get(f"{folder}/{path}")[0] for path in bucket.sizes(folder)}
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in found.items()}
    assert {entry.path: entry.sha256 for entry in manifest.files}.items() <= digests.items()
    return digests


@pytest.mark.slow
def test_both_copies_open_however_often_publishing_is_killed(with_bucket):
    """Local latest and latest.json show the first or the second snapshot whole, and end alike."""
    bucket, lake = bucket_of(TARGET), with_bucket.lake
    pointer, _ = bucket.get("latest.json")
    with_bucket.reset()
    assert with_bucket.finish()[0] == 0
    names = {path.name for path in (lake / "snapshots").iterdir()}

    def begin_anew():
        with_bucket.reset(made=("publish",))
        bucket.put("latest.json", pointer)
        for name in names - {with_bucket.first}:
            folder = f"snapshots/{name}"
            bucket.delete([f"{folder}/{path}" for path in bucket.sizes(folder)])

    def check():
        assert_latest_opens(lake, names)
        return snapshot_bytes(lake), remote_bytes()

    begin_anew()
    undisturbed = with_bucket.finish()
    assert snapshot_bytes(lake) == remote_bytes()
    kill_often(
        with_bucket, N_KILLS // 2, undisturbed=undisturbed, begin_anew=begin_anew, check=check
    )
