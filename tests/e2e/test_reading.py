"""A reader that loops while fifty snapshots are published: never a mix, never an error.

Only one snapshot is kept, so what is not held by a lease goes with the next publication.
"""

import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from data_contracts.publishing import PublishConfig
from tasks.snapshot.remote_snapshot import reading_remote
from tasks.snapshot.snapshot import reading
from tests.bucket import bucket_of, point_to, s3_server
from tests.published import TABLES, publish, reads_as_one

N_PUBLICATIONS = 50
TARGET = "s3://tables/shop"


def read_lake(lake: Path, started, over, said) -> None:
    """Read what latest shows, again and again; say which snapshots were seen, or the error."""
    seen: dict[str, int] = {}
    started.wait(timeout=60)
    try:
        while not over.is_set():
            with reading(lake) as (folder, manifest):
                time.sleep(0.01)  # read on while the next snapshot comes
                if not reads_as_one(folder, manifest):
                    raise AssertionError(f"a mix in {folder}")
            seen[manifest.snapshot_id] = seen.get(manifest.snapshot_id, 0) + 1
        said.put(seen)
    except Exception as error:
        said.put(repr(error))


def test_local_reader_sees_whole_snapshots_only(tmp_path):
    """Two readers in processes of their own."""
    publish(tmp_path, 0, keep=1)
    context = multiprocessing.get_context("spawn")
    started, over, said = context.Barrier(3), context.Event(), context.Queue()
    arguments = (tmp_path, started, over, said)
    readers = [context.Process(target=read_lake, args=arguments) for _ in range(2)]
    for reader in readers:
        reader.start()
    started.wait(timeout=60)
    for ago in range(1, N_PUBLICATIONS + 1):
        publish(tmp_path, ago, keep=1)
    over.set()
    found = [said.get(timeout=60) for _ in readers]
    for reader in readers:
        reader.join()
    assert all(isinstance(seen, dict) for seen in found), found
    assert max(len(seen) for seen in found) > N_PUBLICATIONS / 5
    publish(tmp_path, N_PUBLICATIONS + 1, keep=1)
    assert len(list((tmp_path / "snapshots").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.e2e
def test_remote_reader_sees_whole_snapshots_only(tmp_path, monkeypatch):
    """The same over the S3 API."""
    seen, errors, over = [], [], threading.Event()

    def read() -> None:
        bucket, config = bucket_of(TARGET), PublishConfig(target=TARGET, give_up_seconds=20)
        while not over.is_set():
            try:
                with reading_remote(config) as (uri, manifest):
                    folder = uri.removeprefix(f"{TARGET}/")
                    time.sleep(0.1)  # read on while the next snapshot comes
                    files = [bucket.get(f"{folder}/{entry.path}") for entry in manifest.files]
                    texts = [content.decode() for content, _ in files]
                if texts != [manifest.snapshot_id] * len(TABLES):
                    errors.append(f"a mix in {uri}: {texts}")
                seen.append(manifest.snapshot_id)
            except Exception as error:
                errors.append(repr(error))

    with s3_server() as address:
        point_to(monkeypatch, address)
        publish(tmp_path, 0, keep=1, target=TARGET)
        reader = threading.Thread(target=read)
        reader.start()
        for ago in range(1, N_PUBLICATIONS + 1):
            publish(tmp_path, ago, keep=1, target=TARGET)
        over.set()
        reader.join()
        assert errors == []
        assert len(set(seen)) > N_PUBLICATIONS / 5
        publish(tmp_path, N_PUBLICATIONS + 1, keep=1, target=TARGET)
        assert len(bucket_of(TARGET).folders("snapshots")) == 1
