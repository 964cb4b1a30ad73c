"""Kill a forgetting anywhere: readers see a whole snapshot, the same command again finishes.

``HOARFROST_KILLS`` says how often (10). A failure names the seed; ``HOARFROST_KILL_SEED`` draws
the same moments again.
"""

import os
import random
import shutil
import signal

import polars as pl
import pytest

from data_contracts.errors import HoarfrostError
from data_contracts.publishing import PublishConfig
from tasks.forgetting.forgotten import folder_of, forgotten, unfinished
from tasks.registry.ledger import read_lines
from tasks.snapshot.remote_snapshot import reading_remote
from tasks.snapshot.snapshot import TABLES, reading, verify_snapshot
from tests.bucket import bucket_of, point_to, s3_server
from tests.flows import kill_forget
from tests.forgotten_lake import NAMES, copy_lake, make_lake, naming, table_bytes

N_KILLS = int(os.environ.get("HOARFROST_KILLS", "10"))
SEED = int(os.environ.get("HOARFROST_KILL_SEED", str(random.randrange(10**6))))
TARGET, GONE = "s3://tables/shop", NAMES[1:3]


def run(context, night, die_at=None):
    """Forget in a process; return its exit code and the touches it told."""
    said = context.SimpleQueue()
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    process = context.Process(target=kill_forget.act, args=(night.config, GONE, aws, die_at, said))
    process.start()
    process.join()
    return process.exitcode, None if said.empty() else said.get()


def assert_opens(lake):
    """Latest shows one whole snapshot, with these people or without them."""
    with reading(lake) as (folder, manifest):
        verify_snapshot(folder)
        rows = pl.read_parquet(folder / "top_n" / "**" / "*.parquet")
        assert rows.height == manifest.rows["top_n"]
        assert rows.filter(pl.col("user_id").is_in(GONE))["user_id"].n_unique() in (0, len(GONE))
        assert {path.name for path in folder.iterdir()} == {*TABLES, "manifest.json"}


def after(lake):
    """What is the same after every forgetting."""
    assert naming(lake, GONE) == []
    assert unfinished(lake) is None
    assert sorted(path.name for path in folder_of(lake).iterdir()) == ["hashes.txt", "key"] + (
        ["snapshots"] if (folder_of(lake) / "snapshots").is_dir() else []
    )
    assert list(lake.rglob(".*.new")) == []
    manifests = sorted(lake.glob("state/nights/*/*/manifest.json"))
    return table_bytes(lake), [path.read_text(encoding="utf-8") for path in manifests]


@pytest.mark.slow
def test_a_killed_forgetting_is_finished_by_the_same_command(tmp_path, forkserver):
    """Whenever it died, and however often; until it is done no night starts."""
    made = make_lake(tmp_path / "lake")
    whole = copy_lake(made, tmp_path / "whole")
    code, touches = run(forkserver, whole[1])
    assert code == 0
    expected, draw = after(tmp_path / "whole"), random.Random(SEED)
    print(f"kills of seed {SEED}: {touches} touches")
    for number in range(N_KILLS):
        lake = tmp_path / f"killed-{number}"
        killed, finished = copy_lake(made, lake), 1
        for moment in (draw.randint(1, touches), draw.randint(1, touches)):
            code, _ = run(forkserver, killed[1], moment)
            finished += code == 0
            assert code in (0, -signal.SIGKILL), (SEED, moment)
            assert_opens(lake)
            if naming(lake, GONE) != naming(made[0].lake, GONE) and code:
                with pytest.raises(HoarfrostError, match="run the same 'hoarfrost forget'"):
                    forgotten(lake)
        assert run(forkserver, killed[1])[0] == 0, (SEED, number)
        assert len(read_lines(lake)) == finished, (SEED, number)
        assert_opens(lake)
        tables, manifests = after(lake)
        assert (tables, manifests) == expected, (SEED, number)
        shutil.rmtree(lake)


@pytest.mark.slow
def test_both_copies_open_however_a_forgetting_is_killed(tmp_path, forkserver, monkeypatch):
    """The object store's copy ends with the lake's bytes, and nothing else lies there."""
    with s3_server() as address:
        point_to(monkeypatch, address)
        made = make_lake(tmp_path / "lake", publish={"target": TARGET})
        bucket = bucket_of(TARGET)
        first = {key: bucket.get(f"snapshots/{key}")[0] for key in bucket.sizes("snapshots")}
        pointer = bucket.get("latest.json")[0]
        whole = copy_lake(made, tmp_path / "whole")
        code, touches = run(forkserver, whole[1])
        assert code == 0
        expected, draw = (after(tmp_path / "whole"), remote_bytes(bucket)), random.Random(SEED)
        for number in range(max(N_KILLS // 3, 1)):
            bucket.delete([f"snapshots/{key}" for key in bucket.sizes("snapshots")])
            for key, content in first.items():
                bucket.put(f"snapshots/{key}", content)
            bucket.put("latest.json", pointer)
            lake = tmp_path / f"killed-{number}"
            killed = copy_lake(made, lake)
            run(forkserver, killed[1], draw.randint(touches * 2 // 3, touches))
            with reading_remote(PublishConfig(target=TARGET)) as (_, manifest):
                assert manifest.rows["top_n"] > 0
            assert run(forkserver, killed[1])[0] == 0, (SEED, number)
            assert (after(lake), remote_bytes(bucket)) == expected, (SEED, number)
            shutil.rmtree(lake)


def remote_bytes(bucket):
    """Return all that lies in the store."""
    found = {key: bucket.get(f"snapshots/{key}")[0] for key in bucket.sizes("snapshots")}
    assert not any(name.encode() in content for content in found.values() for name in GONE)
    return found, bucket.get("latest.json")[0]
