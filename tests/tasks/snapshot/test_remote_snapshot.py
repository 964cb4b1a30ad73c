"""Snapshots in an object store, with a real S3 API on loopback."""

import itertools
import json
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_contracts.manifests import SnapshotManifest
from data_contracts.publishing import PublishConfig
from tasks.snapshot.remote_snapshot import (
    Pointer,
    _point_latest,
    latest_remote,
    publish_remote,
    reading_remote,
)
from tasks.snapshot.snapshot import (
    DamagedSnapshotError,
    NoSnapshotError,
    latest_snapshot,
    publish_snapshot,
)
from tasks.source.object_store import ObjectStore, ObjectStoreError
from tests.bucket import Wire, bucket_of, point_to, s3_server
from tests.published import FIRST, TABLES, publish, staged

numbers = itertools.count()


@pytest.fixture(scope="module")
def address():
    """One server for all tests here."""
    with s3_server() as address:
        yield address


@pytest.fixture
def target(address, monkeypatch):
    """A prefix that nobody has used."""
    point_to(monkeypatch, address)
    return f"s3://tables/shop/{next(numbers)}"


def config(target, seconds=20):
    """Return the section of the configuration."""
    return PublishConfig(target=target, give_up_seconds=seconds)


def names(target):
    """Ids of the snapshots in the store."""
    return bucket_of(target).folders("snapshots")


def shown(target):
    """What latest.json names."""
    return json.loads(bucket_of(target).get("latest.json")[0])["snapshot_id"]


def remote_is_one(target):
    """Tell whether the snapshot of latest.json holds its own files only, all of them."""
    uri, manifest = latest_remote(config(target))
    bucket, folder = bucket_of(target), uri.removeprefix(f"{target}/")
    texts = [bucket.get(f"{folder}/{entry.path}")[0] for entry in manifest.files]
    return [text.rstrip(b".").decode() for text in texts] == [manifest.snapshot_id] * len(TABLES)


def test_a_snapshot_goes_to_the_store_as_it_lies_in_the_lake(tmp_path, target):
    """Same files, same manifest, found through latest.json."""
    done = publish(tmp_path, 0, target=target)
    assert (done.remote.uri, done.remote.is_latest) == (f"{target}/snapshots/2026-09-01-v1", True)
    uri, manifest = latest_remote(config(target))
    folder, local = latest_snapshot(tmp_path)
    assert (uri, manifest) == (done.remote.uri, local)
    sizes = bucket_of(target).sizes("snapshots/2026-09-01-v1")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sizes == {str(path.relative_to(folder)): path.stat().st_size for path in files}
    assert set(sizes) == {*(f"{table}/part.txt" for table in TABLES), "manifest.json"}
    assert remote_is_one(target)


def test_nothing_is_uploaded_that_is_there(tmp_path, target, monkeypatch):
    """The second time not a byte goes up, and the manifest of the step is the same."""
    first = publish(tmp_path, 0, target=target)
    stamps = bucket_of(target).stamps("snapshots/2026-09-01-v1")
    monkeypatch.setattr("tasks.source.object_store.ObjectStore.upload", None)
    assert publish(tmp_path, 0, target=target) == first
    assert bucket_of(target).stamps("snapshots/2026-09-01-v1") == stamps


def test_what_is_missing_or_other_is_uploaded_again(tmp_path, target):
    """A file that is gone, and one of the same size that is not ours."""
    publish(tmp_path, 0, target=target)
    bucket, paths = bucket_of(target), [f"snapshots/2026-09-01-v1/{t}/part.txt" for t in TABLES]
    bucket.delete([paths[0], "snapshots/2026-09-01-v1/manifest.json"])
    bucket.put(paths[1], b"?" * 13)
    publish(tmp_path, 0, target=target)
    assert [bucket.get(path)[0] for path in paths] == [b"2026-09-01-v1"] * 2


def test_large_files_go_up_in_parts(tmp_path, target):
    """Nine MiB are two parts, and the store says so in the tag."""
    publish(tmp_path, 0, size=9 * 2**20, target=target)
    path = f"snapshots/2026-09-01-v1/{TABLES[0]}/part.txt"
    assert bucket_of(target).get(path)[1].endswith('-2"')
    assert remote_is_one(target)


def test_latest_never_goes_back(tmp_path, target):
    """An old night that is run again lies beside, not in front."""
    publish(tmp_path, 1, target=target)
    assert not publish(tmp_path, 0, target=target).remote.is_latest
    assert shown(target) == "2026-09-02-v1"
    assert publish(tmp_path, 1, version="2", target=target).remote.is_latest
    assert shown(target) == "2026-09-02-v2"


def test_the_later_of_two_lakes_wins_whoever_writes_last(tmp_path, target, monkeypatch):
    """Between looking at latest.json and setting it another writer comes."""
    late, early = staged(tmp_path / "a", 5)[1], staged(tmp_path / "b", 4)[1]
    bucket = bucket_of(target)
    swap, others = type(bucket).swap, iter([late])

    def overtaken(self, key, body, e_tag):
        for other in others:
            assert _point_latest(bucket, other)
        swap(self, key, body, e_tag)

    monkeypatch.setattr(type(bucket), "swap", overtaken)
    assert not _point_latest(bucket, early)
    assert shown(target) == late.snapshot_id


@given(order=st.permutations(range(6)))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_order_the_latest_run_date_is_shown(target, order):
    """Whatever order six nights arrive in."""
    bucket = bucket_of(f"{target}/{next(numbers)}")
    for ago in order:
        _point_latest(bucket, manifest_of(ago))
    pointer = Pointer.model_validate_json(bucket.get("latest.json")[0])
    assert pointer.run_date == max(manifest_of(ago).run_date for ago in order)


def manifest_of(ago):
    """Return the manifest of a snapshot without files."""
    run_date = date.fromordinal(FIRST.toordinal() + ago)
    return SnapshotManifest(
        step="materialise", run_date=run_date, key="k", snapshot_id=f"{run_date}-v1",
        model_version="1", config_digest="", code_version="", inputs={}, rows={},
        fallback_share=0.0, short_lists=0,
    )  # fmt: skip


def test_a_write_whose_answer_was_lost_counts(tmp_path, target, monkeypatch):
    """The store took it, the client heard nothing and tried again: precondition failed."""
    bucket = bucket_of(target)
    swap = type(bucket).swap

    def twice(self, key, body, e_tag):
        swap(self, key, body, e_tag)
        swap(self, key, body, e_tag)

    monkeypatch.setattr(type(bucket), "swap", twice)
    assert _point_latest(bucket, manifest_of(0))
    assert shown(target) == "2026-09-01-v1"


def test_old_snapshots_go_and_those_shown_or_read_stay(tmp_path, target):
    """Retention is the lake's, and no object of a removed snapshot is left."""
    for ago in (5, 0, 1, 2):
        publish(tmp_path, ago, keep=2, target=target)
    assert names(target) == ["2026-09-03-v1", "2026-09-06-v1"]
    with reading_remote(config(target)) as (uri, manifest):
        assert (
            uri == f"{target}/snapshots/{manifest.snapshot_id}" == latest_remote(config(target))[0]
        )
        assert publish(tmp_path, 6, keep=1, target=target).remote.removed == ("2026-09-03-v1",)
        assert names(target) == ["2026-09-06-v1", "2026-09-07-v1"]
    assert publish(tmp_path, 7, keep=1, target=target).remote.removed == (
        "2026-09-06-v1", "2026-09-07-v1",
    )  # fmt: skip
    assert names(target) == ["2026-09-08-v1"]
    assert list(bucket_of(target).sizes("leases")) == ["clock"]


def test_a_lease_ends_after_its_term_and_goes(tmp_path, target):
    """A reader that never came back; both times are the store's own."""
    publish(tmp_path, 0, keep=1, target=target)
    lease = {"snapshot_id": "2026-09-01-v1", "machine": "far", "pid": 1, "host": "far"}
    bucket_of(target).put(
        "leases/2026-09-01-v1.x.json", json.dumps(lease | {"seconds": -1}).encode()
    )
    assert publish(tmp_path, 1, keep=1, target=target).remote.removed == ("2026-09-01-v1",)
    assert list(bucket_of(target).sizes("leases")) == ["clock"]


def test_half_uploads_of_older_nights_go(tmp_path, target):
    """A night killed for good leaves files without a manifest; one of today may be going on."""
    bucket = bucket_of(target)
    for name in ("2026-08-01-v1", "2026-09-02-v1"):
        bucket.put(f"snapshots/{name}/top_n/part.txt", b"half")
    publish(tmp_path, 1, version="2", target=target)
    assert names(target) == ["2026-09-02-v1", "2026-09-02-v2"]


def test_an_empty_store_says_so(target):
    """A reader gets a sentence."""
    with pytest.raises(NoSnapshotError, match="nothing has been published in s3://tables/shop/"):
        latest_remote(config(target))


def test_damage_in_the_store_is_told(tmp_path, target):
    """A file cut short, a manifest gone, a pointer that is none."""
    publish(tmp_path, 0, target=target)
    bucket = bucket_of(target)
    bucket.put(f"snapshots/2026-09-01-v1/{TABLES[0]}/part.txt", b"half")
    with (
        pytest.raises(DamagedSnapshotError, match="of the size in its manifest, got 4: run the"),
        reading_remote(config(target)),
    ):
        pass
    bucket.delete(["snapshots/2026-09-01-v1/manifest.json"])
    with pytest.raises(DamagedSnapshotError, match=r"must hold manifest.json, got none"):
        latest_remote(config(target))
    bucket.put("latest.json", b"{}")
    with pytest.raises(DamagedSnapshotError, match=r"latest.json must name a snapshot"):
        latest_remote(config(target))


def test_a_damaged_lake_is_not_uploaded(tmp_path, target):
    """Digests are compared before the first byte goes up."""
    done = publish(tmp_path, 0)
    path = tmp_path / done.path / TABLES[0] / "part.txt"
    path.write_bytes(b"?" * 13)
    with pytest.raises(DamagedSnapshotError, match="must have the digest"):
        publish_remote(config(target), tmp_path / done.path, staged_manifest(tmp_path), n_kept=1)
    assert names(target) == []


def staged_manifest(lake):
    """Return the manifest of the snapshot that latest shows."""
    return latest_snapshot(lake)[1]


@pytest.fixture
def wire(address, monkeypatch):
    """The server at the end of a line that can be cut."""
    line = Wire(address)
    point_to(monkeypatch, line.address)
    yield line
    line.close()


@pytest.mark.parametrize("moment", [0, 3_000, 200_000, 9_000_000, "put", "swap"])
def test_a_lost_connection_leaves_both_snapshots_and_the_next_run_goes_on(
    tmp_path, target, wire, monkeypatch, moment
):
    """Cut after some bytes of two files, before the manifest, and before latest.json."""
    first = publish(tmp_path, 0, size=6 * 10**6, target=target)
    night = staged(tmp_path, 1, size=6 * 10**6, target=target, give_up_seconds=1)
    if isinstance(moment, int):
        wire.cut_after(moment)
    else:
        monkeypatch.setattr(ObjectStore, moment, cutting(wire, getattr(ObjectStore, moment)))
    with pytest.raises(ObjectStoreError, match="must be within reach, got: no connection") as told:
        publish_snapshot(*night)
    monkeypatch.undo()
    point_to(monkeypatch, wire.address)
    assert told.value.exit_code == 1
    assert latest_snapshot(tmp_path)[0].name == "2026-09-02-v1"
    wire.mend()
    assert shown(target) == first.snapshot_id
    assert remote_is_one(target)
    assert publish_snapshot(*night).remote.is_latest
    assert shown(target) == "2026-09-02-v1"
    assert remote_is_one(target)


def cutting(wire, call):
    """Return the call with the line cut right before it."""

    def cut(*arguments):
        wire.cut_after(0)
        return call(*arguments)

    return cut


def test_files_that_arrived_before_the_cut_are_not_sent_again(tmp_path, target, wire, monkeypatch):
    """The next run sends the second file only."""
    night = staged(tmp_path, 0, size=6 * 10**6, target=target, give_up_seconds=1)
    wire.cut_after(9 * 10**6)
    with pytest.raises(ObjectStoreError, match="no connection"):
        publish_snapshot(*night)
    wire.mend()
    sent, upload = [], ObjectStore.upload
    monkeypatch.setattr(
        ObjectStore, "upload", lambda self, key, *rest: (sent.append(key), upload(self, key, *rest))
    )
    publish_snapshot(*night)
    assert sent == [f"snapshots/2026-09-01-v1/{TABLES[0]}/part.txt"]
