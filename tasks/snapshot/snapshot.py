"""Snapshots: published as a whole, found through latest, kept for a while."""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_contracts.errors import ContractViolationError, HoarfrostError
from data_contracts.manifests import (
    CheckManifest,
    PublishManifest,
    RemotePublication,
    SnapshotManifest,
)
from tasks.files import (
    empty_folder,
    explained,
    make_folder,
    sha256_of,
    sync,
    sync_tree,
    write_text,
)
from tasks.lake import Night
from tasks.snapshot.lease import leased, leasing
from tasks.snapshot.retention import by_age, outlived, remove_snapshots
from tasks.steps import MANIFEST, commit, is_whole, manifest_text, read_manifest, step_key

logger = logging.getLogger(__name__)
TABLES = ("top_n", "similar_items", "item_embeddings", "short_lists")  # that are always there
_TRIES = 100  # of a reader, each overtaken by a publication


class NoSnapshotError(HoarfrostError):
    """Nothing has been published in this lake."""


class DamagedSnapshotError(ContractViolationError):
    """A published file is not the one its manifest names."""


def publish_snapshot(
    night: Night, snapshot: SnapshotManifest, check: CheckManifest
) -> PublishManifest:
    """Publish tonight's checked tables as one snapshot; latest is swapped last.

    Doing it again changes nothing, so a killed night simply publishes once more.

    Raises:
        StorageError: the disk is full or may not be written, or the object store cannot be
            reached; what cannot be written there shows what it showed.
    """
    with explained(night.lake):
        return _publish(night, snapshot, check)


def _publish(night: Night, snapshot: SnapshotManifest, check: CheckManifest) -> PublishManifest:
    target = night.lake / "snapshots" / snapshot.snapshot_id
    there = read_manifest(target, SnapshotManifest)
    if there is None or not is_whole(target, there):
        _place(night, snapshot, target)
    is_latest = point_latest(night.lake, snapshot)
    removed = _retain(night.lake, night.config.tables.keep_snapshots)
    logger.info("publish: %s, latest %s", target.name, "points to it" if is_latest else "is newer")
    remote = _publish_remote(night, target, snapshot)
    manifest = PublishManifest(
        step="publish", run_date=night.run_date,
        key=step_key(night, "publish", settings={}, inputs=[snapshot, check]),
        snapshot_id=snapshot.snapshot_id, path=str(target.relative_to(night.lake)),
        is_latest=is_latest, removed=removed, remote=remote,
    )  # fmt: skip
    commit(empty_folder(night.state / "staging" / "publish"), night.step("publish"), manifest)
    return manifest


def _publish_remote(
    night: Night, folder: Path, snapshot: SnapshotManifest
) -> RemotePublication | None:
    if night.config.publish.target is None:
        return None
    from tasks.snapshot.remote_snapshot import publish_remote  # it reads snapshots, too

    n_kept = night.config.tables.keep_snapshots
    return publish_remote(night.config.publish, folder, snapshot, n_kept=n_kept)


@contextmanager
def reading(lake: Path) -> Iterator[tuple[Path, SnapshotManifest]]:
    """Yield the folder that latest points to, resolved once, and its manifest.

    While the ``with`` block runs the snapshot stays, whatever is published meanwhile (see
    tasks.snapshot.lease). A lake that cannot be written is read all the same, without that promise.

    Raises:
        NoSnapshotError: nothing has been published.
        DamagedSnapshotError: a file is missing or has another size.
    """
    for _ in range(_TRIES):
        folder, manifest = latest_snapshot(lake)
        with leasing(lake, manifest.snapshot_id):
            # who removes looks at latest first and at leases then, so a lease taken while
            # latest shows the snapshot is always seen
            if (lake / "latest").resolve() == folder:
                _check_sizes(folder, manifest)
                yield folder, manifest
                return
    raise HoarfrostError(f"latest of {lake} changed {_TRIES} times while it was read: try again")


def latest_snapshot(lake: Path) -> tuple[Path, SnapshotManifest]:
    """Return the folder that latest points to, resolved once, and its manifest.

    Raises:
        NoSnapshotError: nothing has been published.
        DamagedSnapshotError: latest points to a folder without a manifest.
    """
    for _ in range(_TRIES):
        folder = (lake / "latest").resolve()
        manifest = read_manifest(folder, SnapshotManifest)
        if manifest is not None:
            return folder, manifest
        if folder == (lake / "latest").resolve():  # else it was removed while we looked
            break
    if (lake / "latest").is_symlink():
        raise DamagedSnapshotError(f"{folder} must hold {MANIFEST}, got none: {_mending(folder)}")
    raise NoSnapshotError(f"nothing has been published in {lake}: run a night with 'hoarfrost run'")


def snapshots(lake: Path) -> list[SnapshotManifest]:
    """Return the manifests of all published snapshots, oldest run date first."""
    folders = sorted((lake / "snapshots").glob("*"))
    found = [read_manifest(folder, SnapshotManifest) for folder in folders]
    return by_age([each for each in found if each])


def verify_snapshot(folder: Path) -> SnapshotManifest:
    """Return the manifest of a snapshot, every file read and compared with it.

    Raises:
        DamagedSnapshotError: the manifest or a file is missing, or a file is another one.
    """
    manifest = read_manifest(folder, SnapshotManifest)
    if manifest is None:
        raise DamagedSnapshotError(f"{folder} must hold {MANIFEST}, got none: {_mending(folder)}")
    _check_sizes(folder, manifest)
    for entry in manifest.files:
        found = sha256_of(folder / entry.path)
        if found != entry.sha256:
            raise DamagedSnapshotError(
                f"{folder / entry.path} must have the digest {entry.sha256} of its manifest, "
                f"got {found}: remove it here and in the night's folder "
                f"state/nights/run_date={_day(folder)}, and run that night again"
            )
    return manifest


def _check_sizes(folder: Path, manifest: SnapshotManifest) -> None:
    for entry in manifest.files:
        path = folder / entry.path
        found = path.stat().st_size if path.is_file() else None
        if found != entry.bytes:
            raise DamagedSnapshotError(
                f"{path} must have {entry.bytes} bytes as its manifest says, "
                f"got {'no file' if found is None else found}: {_mending(folder)}"
            )


def _mending(folder: Path) -> str:
    return f"run the night of {_day(folder)} again, it puts back what is missing"


def _day(folder: Path) -> str:
    return folder.resolve().name[: len("2026-01-31")]


def _place(night: Night, snapshot: SnapshotManifest, target: Path) -> None:
    staging = empty_folder(night.state / "staging" / "snapshot")
    for entry in snapshot.files:
        source, copy = night.step("materialise") / entry.path, staging / entry.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(source, copy)
    if target.exists():
        _mend(staging, target, snapshot)
    else:
        commit(staging, target, snapshot)


def _mend(staging: Path, target: Path, snapshot: SnapshotManifest) -> None:
    """Put the files of a damaged snapshot back one by one: latest may point to it."""
    sync_tree(staging)
    for entry in snapshot.files:
        place = make_folder((target / entry.path).parent)
        (staging / entry.path).replace(target / entry.path)
        sync(place)
    write_text(target / MANIFEST, manifest_text(snapshot))


def point_latest(lake: Path, snapshot: SnapshotManifest, *, backwards: bool = False) -> bool:
    """Point latest at a snapshot; only backwards if it shows one of a later run date."""
    with contextlib.suppress(NoSnapshotError, DamagedSnapshotError):
        _, shown = latest_snapshot(lake)
        if shown.run_date > snapshot.run_date and not backwards:
            return False
    swap_latest(lake, Path("snapshots") / snapshot.snapshot_id)
    return True


def swap_latest(lake: Path, folder: Path) -> None:
    """Point latest at a folder, in one step.

    Args:
        lake: its root.
        folder: relative to that.
    """
    link = lake / ".latest.new"
    link.unlink(missing_ok=True)
    link.symlink_to(folder)
    link.replace(lake / "latest")
    sync(lake)


def _retain(lake: Path, n_kept: int) -> tuple[str, ...]:
    """Remove all but the newest snapshots, never one that latest shows or somebody reads."""
    _, shown = latest_snapshot(lake)  # before the leases, see reading
    protected = leased(lake) | {shown.snapshot_id}
    removed = outlived(snapshots(lake), n_kept, protected)
    remove_snapshots(lake, removed)
    return removed


def link_or_copy(source: Path, copy: Path) -> None:
    """Give a file a second name, or copy it where the file system knows no such thing."""
    try:
        os.link(source, copy)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, copy)
