"""Snapshots in an object store: uploaded file by file, found through latest.json.

The manifest goes up after the files and latest.json after the manifest, by compare-and-set,
so whoever resolves latest.json once sees one whole snapshot. Nothing is renamed, and what is
there already is not uploaded again.
"""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from data_contracts.frozen import Frozen
from data_contracts.manifests import RemotePublication, SnapshotManifest
from data_contracts.publishing import PublishConfig
from tasks.snapshot.lease import TERM_SECONDS, Lease, new_lease
from tasks.snapshot.retention import outlived
from tasks.snapshot.snapshot import DamagedSnapshotError, NoSnapshotError, verify_snapshot
from tasks.source.object_store import ObjectStore, ObjectStoreError, PointerMovedError, open_store
from tasks.steps import MANIFEST, manifest_text

logger = logging.getLogger(__name__)
LATEST = "latest.json"
_LEASES, _CLOCK = "leases", "clock"
_TRIES = 100


class Pointer(Frozen):
    """What latest.json holds."""

    snapshot_id: str
    run_date: date
    path: str


def publish_remote(
    config: PublishConfig, folder: Path, snapshot: SnapshotManifest, *, n_kept: int
) -> RemotePublication:
    """Copy a published snapshot to the object store; latest.json is swapped last.

    Doing it again uploads only what is missing.

    Raises:
        ConfigError: the extra s3 is not installed.
        ObjectStoreError: the store cannot be reached or refuses, or keeps another size;
            latest.json shows what it showed.
        DamagedSnapshotError: a file of the lake is not the one its manifest names.
    """
    remote = open_store(config)
    if not _is_whole(remote, snapshot):
        upload_snapshot(remote, folder, snapshot)
    is_latest = _point_latest(remote, snapshot)
    removed = _retain(remote, n_kept)
    logger.info("publish: %s, latest.json %s", remote.uri, "set" if is_latest else "is newer")
    return RemotePublication(uri=_uri(remote, snapshot), is_latest=is_latest, removed=removed)


@contextmanager
def reading_remote(config: PublishConfig) -> Iterator[tuple[str, SnapshotManifest]]:
    """Yield where the snapshot of latest.json lies, resolved once, and its manifest.

    While the ``with`` block runs, for a day at most, the snapshot stays. Credentials that may
    only read do so without that promise.

    Raises:
        NoSnapshotError: nothing has been published there.
        DamagedSnapshotError: a file is missing or has another size.
        ObjectStoreError: the store cannot be reached or refuses.
    """
    remote = open_store(config)
    for _ in range(_TRIES):
        snapshot = _latest(remote)
        with _leasing(remote, snapshot.snapshot_id):
            pointer = read_pointer(remote)[
                0
            ]  # after the lease, see tasks.snapshot.snapshot.reading
            if pointer is not None and pointer.snapshot_id == snapshot.snapshot_id:
                _check_sizes(remote, snapshot)
                yield _uri(remote, snapshot), snapshot
                return
    raise _restless(remote)


def latest_remote(config: PublishConfig) -> tuple[str, SnapshotManifest]:
    """Return where the snapshot of latest.json lies, resolved once, and its manifest.

    Raises:
        NoSnapshotError: nothing has been published there.
        DamagedSnapshotError: latest.json names a snapshot without a manifest.
        ObjectStoreError: the store cannot be reached or refuses.
    """
    remote = open_store(config)
    snapshot = _latest(remote)
    return _uri(remote, snapshot), snapshot


def _latest(remote: ObjectStore) -> SnapshotManifest:
    pointer, _ = read_pointer(remote)
    for _ in range(_TRIES):
        if pointer is None:
            raise NoSnapshotError(f"nothing has been published in {remote.uri}: run a night")
        snapshot = remote_manifest(remote, pointer.snapshot_id)
        if snapshot is not None:
            return snapshot
        before, (pointer, _) = pointer, read_pointer(remote)
        if pointer == before:  # else it was removed while we looked
            raise DamagedSnapshotError(
                f"{remote.uri}/{before.path} must hold {MANIFEST}, got none: "
                f"run the night of {before.run_date} again"
            )
    raise _restless(remote)


def _restless(remote: ObjectStore) -> ObjectStoreError:
    return ObjectStoreError(f"{remote.uri}/{LATEST} changed {_TRIES} times: stop the other writers")


def upload_snapshot(remote: ObjectStore, folder: Path, snapshot: SnapshotManifest) -> None:
    """Upload what is not there yet of a snapshot, its manifest last.

    Raises:
        DamagedSnapshotError: a file of the folder is not the one its manifest names.
        ObjectStoreError: the store cannot be reached or refuses, or keeps another size.
    """
    verify_snapshot(folder)
    n_bytes = 0
    for entry in snapshot.files:
        key = f"{prefix_of(snapshot.snapshot_id)}/{entry.path}"
        if remote.uploaded(key) != (entry.bytes, entry.sha256):
            remote.upload(key, folder / entry.path, entry.sha256)
            n_bytes += entry.bytes
    _check_sizes(remote, snapshot)
    manifest = f"{prefix_of(snapshot.snapshot_id)}/{MANIFEST}"
    remote.put(manifest, manifest_text(snapshot).encode())
    logger.info("publish: %d bytes uploaded to %s", n_bytes, remote.uri)


def _is_whole(remote: ObjectStore, snapshot: SnapshotManifest) -> bool:
    there = remote_manifest(remote, snapshot.snapshot_id)
    return there == snapshot and not _wrong_sizes(remote, snapshot)


def _wrong_sizes(remote: ObjectStore, snapshot: SnapshotManifest) -> dict[str, int | None]:
    sizes = remote.sizes(prefix_of(snapshot.snapshot_id))
    found = {entry.path: sizes.get(entry.path) for entry in snapshot.files}
    return {entry.path: found[entry.path] for entry in snapshot.files
            if found[entry.path] != entry.bytes}  # fmt: skip


def _check_sizes(remote: ObjectStore, snapshot: SnapshotManifest) -> None:
    for path, size in _wrong_sizes(remote, snapshot).items():
        raise DamagedSnapshotError(
            f"{_uri(remote, snapshot)}/{path} must be of the size in its manifest, "
            f"got {'no file' if size is None else size}: run the night again, it uploads what is "
            "missing"
        )


def point_latest_remote(config: PublishConfig, snapshot: SnapshotManifest) -> None:
    """Point latest.json back to a snapshot that is whole there.

    Raises:
        DamagedSnapshotError: it is not there, or a file has another size.
        ObjectStoreError: the store cannot be reached or refuses.
    """
    remote = open_store(config)
    _check_sizes(remote, snapshot)
    _point_latest(remote, snapshot, backwards=True)


def _point_latest(
    remote: ObjectStore, snapshot: SnapshotManifest, *, backwards: bool = False
) -> bool:
    """Set latest.json; only backwards if it shows a later run date. Others may do the same."""
    ours = Pointer(
        snapshot_id=snapshot.snapshot_id, run_date=snapshot.run_date,
        path=prefix_of(snapshot.snapshot_id),
    )  # fmt: skip
    for _ in range(_TRIES):
        shown, e_tag = read_pointer(remote)
        if shown == ours:  # also where our own write was taken and its answer lost
            return True
        if shown is not None and shown.run_date > ours.run_date and not backwards:
            return False
        try:
            remote.swap(LATEST, (ours.model_dump_json() + "\n").encode(), e_tag)
        except PointerMovedError:
            continue
        return True
    raise _restless(remote)


def read_pointer(remote: ObjectStore) -> tuple[Pointer | None, str | None]:
    """Return what latest.json holds, with its tag; None where there is none.

    Raises:
        DamagedSnapshotError: it holds something else.
        ObjectStoreError: the store cannot be reached or refuses.
    """
    found = remote.get(LATEST)
    if found is None:
        return None, None
    try:
        return Pointer.model_validate_json(found[0]), found[1]
    except ValidationError as error:
        raise DamagedSnapshotError(
            f"{remote.uri}/{LATEST} must name a snapshot, got something else: remove it, "
            "and run the night again"
        ) from error


def remote_manifest(remote: ObjectStore, snapshot_id: str) -> SnapshotManifest | None:
    """Return the manifest of a snapshot; None where there is none that can be read."""
    found = remote.get(f"{prefix_of(snapshot_id)}/{MANIFEST}")
    try:
        return None if found is None else SnapshotManifest.model_validate_json(found[0])
    except ValidationError:  # of an older version
        return None


def _retain(remote: ObjectStore, n_kept: int) -> tuple[str, ...]:
    shown, _ = read_pointer(remote)  # before the leases, see reading_remote
    protected = leased_remote(remote) | ({shown.snapshot_id} if shown else set())
    manifests = {name: remote_manifest(remote, name) for name in remote.folders("snapshots")}
    found = [each for each in manifests.values() if each is not None]
    removed = outlived(found, n_kept, protected)
    oldest = min(str(each.run_date) for each in found if each.snapshot_id not in removed)
    halves = [name for name, each in manifests.items() if each is None and name < oldest]
    for name in (*removed, *halves):
        remote.delete([f"{prefix_of(name)}/{MANIFEST}"])  # first: what is left is no snapshot
        remote.delete([f"{prefix_of(name)}/{path}" for path in remote.sizes(prefix_of(name))])
    return removed


@contextmanager
def _leasing(remote: ObjectStore, snapshot_id: str) -> Iterator[None]:
    key = f"{_LEASES}/{snapshot_id}.{uuid.uuid4().hex}.json"
    held = True
    try:
        remote.put(key, new_lease(snapshot_id, TERM_SECONDS).model_dump_json().encode())
    except ObjectStoreError as error:
        held = False
        logger.debug("%s: read without a lease: %s", remote.uri, error)
    try:
        yield
    finally:
        if held:
            remote.delete([key])


def leased_remote(remote: ObjectStore) -> set[str]:
    """Return the ids of snapshots somebody reads; leases over their term are removed.

    Age is told by the store's own stamps, that of the lease and that of an object just written.
    """
    remote.put(f"{_LEASES}/{_CLOCK}", b"")
    stamps = remote.stamps(_LEASES)
    now = stamps.pop(_CLOCK)
    ended = [name for name, stamp in stamps.items() if now - stamp > _term(remote, name)]
    remote.delete([f"{_LEASES}/{name}" for name in ended])
    return {name.partition(".")[0] for name in stamps if name not in ended}


def _term(remote: ObjectStore, name: str) -> int:
    found = remote.get(f"{_LEASES}/{name}")
    try:
        return TERM_SECONDS if found is None else Lease.model_validate_json(found[0]).seconds
    except ValidationError:
        return TERM_SECONDS


def prefix_of(snapshot_id: str) -> str:
    """Return where a snapshot lies, relative to the target."""
    return f"snapshots/{snapshot_id}"


def _uri(remote: ObjectStore, snapshot: SnapshotManifest) -> str:
    return f"{remote.uri}/{prefix_of(snapshot.snapshot_id)}"
