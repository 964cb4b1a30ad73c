"""Rewrite snapshots in an object store without forgotten people.

Objects are replaced one by one there, so while that is done for the snapshot of latest.json, it
names a whole copy under another prefix. What comes from the lake is uploaded; a snapshot that
only the store has is fetched, rewritten and uploaded.
"""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from data_contracts.config import NightlyConfig
from data_contracts.manifests import SnapshotManifest
from tasks.files import empty_folder
from tasks.forgetting.forget_parquet import Sought, count_hits
from tasks.forgetting.forget_snapshots import rewritten
from tasks.forgetting.forget_state import tables_below
from tasks.snapshot.remote_snapshot import (
    LATEST,
    Pointer,
    leased_remote,
    prefix_of,
    read_pointer,
    remote_manifest,
    upload_snapshot,
)
from tasks.source.object_store import ObjectStore, ObjectStoreError, PointerMovedError, open_store
from tasks.steps import MANIFEST, read_manifest

logger = logging.getLogger(__name__)
_ASIDE = "-aside"  # ends the name of the copy
_LOOK_SECONDS = 1.0


def clean_remote(config: NightlyConfig, wanted: Sought, *, deadline: float) -> Iterator[str]:
    """Rewrite every snapshot of the store that is not as it should be; yield its id.

    Args:
        config: names lake and store; the lake's snapshots are clean, its lock is held.
        wanted: whom to look for in what only the store has.
        deadline: of the monotonic clock; until then readers of the old objects are waited for.

    Raises:
        ObjectStoreError: the store cannot be reached or refuses; the same again goes on.
    """
    lake, remote = Path(config.lake), open_store(config.publish)
    for name in sorted({each.removesuffix(_ASIDE) for each in remote.folders("snapshots")}):
        folder = _clean_folder(lake, remote, name, wanted)
        snapshot = None if folder is None else read_manifest(folder, SnapshotManifest)
        if folder is None or snapshot is None:
            _delete(remote, name)  # no manifest: nobody can open it
            continue
        snapshot = snapshot.model_copy(update={"snapshot_id": name})
        if not _is_clean(remote, snapshot) or _shows(remote, f"{name}{_ASIDE}"):
            _replace(remote, folder, snapshot, deadline)
            logger.info("forget: snapshot %s in %s is without them", name, remote.uri)
            yield name
    for name in remote.folders("snapshots"):
        if name.endswith(_ASIDE) and not _shows(remote, name):
            _delete(remote, name)


def unclean_remote(config: NightlyConfig) -> list[str]:
    """Return snapshots of the store that are not the clean ones of the lake, file by file.

    What only the store has was looked at when it was rewritten, and is not fetched again.
    """
    lake, remote = Path(config.lake), open_store(config.publish)
    found = []
    for name in remote.folders("snapshots"):
        local = read_manifest(lake / "snapshots" / name, SnapshotManifest)
        if local is not None and not _is_clean(remote, local):
            found.append(f"{remote.uri}/{prefix_of(name)}")
    return found


def _clean_folder(lake: Path, remote: ObjectStore, name: str, wanted: Sought) -> Path | None:
    """Return a folder with what a snapshot should be: the lake's, or what is there, cleaned."""
    place = lake / "snapshots" / name
    if place.is_dir():
        return place
    snapshot = remote_manifest(remote, name) or remote_manifest(remote, f"{name}{_ASIDE}")
    if snapshot is None:
        return None
    fetched = empty_folder(lake / "state" / "staging" / "fetched") / name
    source = name if remote_manifest(remote, name) else f"{name}{_ASIDE}"
    _fetch(remote, source, fetched)
    if not any(count_hits(path, wanted) for path in tables_below(fetched)):
        return fetched
    clean = fetched.with_name(f"{name}.clean")
    rewritten(fetched, wanted, clean)
    return clean


def _fetch(remote: ObjectStore, name: str, folder: Path) -> None:
    for path in remote.sizes(prefix_of(name)):
        found = remote.get(f"{prefix_of(name)}/{path}")
        if found is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(found[0])


def _is_clean(remote: ObjectStore, snapshot: SnapshotManifest) -> bool:
    """Tell whether the store holds these files and no others, by the digests it was told."""
    prefix = prefix_of(snapshot.snapshot_id)
    if remote_manifest(remote, snapshot.snapshot_id) != snapshot:
        return False
    if set(remote.sizes(prefix)) != {MANIFEST, *(entry.path for entry in snapshot.files)}:
        return False
    return all(
        remote.uploaded(f"{prefix}/{entry.path}") == (entry.bytes, entry.sha256)
        for entry in snapshot.files
    )


def _replace(
    remote: ObjectStore, folder: Path, snapshot: SnapshotManifest, deadline: float
) -> None:
    name = snapshot.snapshot_id
    aside = snapshot.model_copy(update={"snapshot_id": f"{name}{_ASIDE}"})
    if _shows(remote, name) or _shows(remote, aside.snapshot_id):
        upload_snapshot(remote, folder, aside)
        _show(remote, aside)
    _wait_for(remote, name, deadline)
    remote.delete([f"{prefix_of(name)}/{MANIFEST}"])  # first: what is left is no snapshot
    kept = {entry.path for entry in snapshot.files}
    others = [path for path in remote.sizes(prefix_of(name)) if path not in kept]
    remote.delete([f"{prefix_of(name)}/{path}" for path in others])
    upload_snapshot(remote, folder, snapshot)
    if _shows(remote, aside.snapshot_id):
        _show(remote, snapshot)
        _wait_for(remote, aside.snapshot_id, deadline)
        _delete(remote, aside.snapshot_id)


def _shows(remote: ObjectStore, name: str) -> bool:
    pointer, _ = read_pointer(remote)
    return pointer is not None and pointer.snapshot_id == name


def _show(remote: ObjectStore, snapshot: SnapshotManifest) -> None:
    ours = Pointer(
        snapshot_id=snapshot.snapshot_id, run_date=snapshot.run_date,
        path=prefix_of(snapshot.snapshot_id),
    )  # fmt: skip
    shown, e_tag = read_pointer(remote)
    if shown == ours:
        return
    try:
        remote.swap(LATEST, (ours.model_dump_json() + "\n").encode(), e_tag)
    except PointerMovedError:
        raise ObjectStoreError(
            f"{remote.uri}/{LATEST} must be written by this lake alone, got another writer: stop "
            "it, and run the same command again"
        ) from None


def _delete(remote: ObjectStore, name: str) -> None:
    remote.delete([f"{prefix_of(name)}/{MANIFEST}"])
    remote.delete([f"{prefix_of(name)}/{path}" for path in remote.sizes(prefix_of(name))])


def _wait_for(remote: ObjectStore, name: str, deadline: float) -> None:
    while name in leased_remote(remote):
        if time.monotonic() >= deadline:
            logger.warning("forget: readers of %s have not finished in time", name)
            return
        time.sleep(_LOOK_SECONDS)
