"""Snapshots: published as a whole, found through latest, kept for a while."""

import contextlib
import logging
import os
import shutil
from pathlib import Path

from data_contracts.errors import HoarfrostError
from data_contracts.manifests import CheckManifest, PublishManifest, SnapshotManifest
from tasks.files import empty_folder, sync
from tasks.lake import Night
from tasks.steps import commit, is_whole, read_manifest, step_key

logger = logging.getLogger(__name__)
TABLES = ("top_n", "similar_items", "item_embeddings")


class NoSnapshotError(HoarfrostError):
    """Nothing has been published in this lake."""


def publish_snapshot(
    night: Night, snapshot: SnapshotManifest, check: CheckManifest
) -> PublishManifest:
    """Publish tonight's checked tables as one snapshot; latest is swapped last.

    Doing it again changes nothing, so a killed night simply publishes once more.
    """
    target = night.lake / "snapshots" / snapshot.snapshot_id
    there = read_manifest(target, SnapshotManifest)
    if there is None or not is_whole(target, there):
        _place(night, snapshot, target)
    is_latest = _point_latest(night.lake, snapshot)
    removed = _retain(night.lake, night.config.tables.keep_snapshots)
    logger.info("publish: %s, latest %s", target.name, "points to it" if is_latest else "is newer")
    manifest = PublishManifest(
        step="publish", run_date=night.run_date,
        key=step_key(night, "publish", settings={}, inputs=[snapshot, check]),
        snapshot_id=snapshot.snapshot_id, path=str(target.relative_to(night.lake)),
        is_latest=is_latest, removed=removed,
    )  # fmt: skip
    commit(empty_folder(night.state / "staging" / "publish"), night.step("publish"), manifest)
    return manifest


def latest_snapshot(lake: Path) -> tuple[Path, SnapshotManifest]:
    """Return the folder that latest points to, resolved once, and its manifest.

    Raises:
        NoSnapshotError: nothing has been published.
    """
    folder = (lake / "latest").resolve()
    manifest = read_manifest(folder, SnapshotManifest)
    if manifest is None:
        raise NoSnapshotError(
            f"nothing has been published in {lake}: run a night with 'hoarfrost run'"
        )
    return folder, manifest


def snapshots(lake: Path) -> list[SnapshotManifest]:
    """Return the manifests of all published snapshots, oldest run date first."""
    found = [
        read_manifest(path, SnapshotManifest) for path in sorted((lake / "snapshots").glob("*"))
    ]
    return sorted(
        (each for each in found if each), key=lambda each: (each.run_date, each.snapshot_id)
    )


def _place(night: Night, snapshot: SnapshotManifest, target: Path) -> None:
    staging = empty_folder(night.state / "staging" / "snapshot")
    for entry in snapshot.files:
        source, copy = night.step("materialise") / entry.path, staging / entry.path
        copy.parent.mkdir(exist_ok=True)
        _link_or_copy(source, copy)
    commit(staging, target, snapshot)


def _point_latest(lake: Path, snapshot: SnapshotManifest) -> bool:
    """Point latest at a snapshot, unless it shows one of a later run date already."""
    with contextlib.suppress(NoSnapshotError):
        _, shown = latest_snapshot(lake)
        if shown.run_date > snapshot.run_date:
            return False
    link = lake / ".latest.new"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("snapshots") / snapshot.snapshot_id)
    link.replace(lake / "latest")
    sync(lake)
    return True


def _retain(lake: Path, n_kept: int) -> tuple[str, ...]:
    """Remove all but the newest snapshots, never the one that latest shows."""
    _, shown = latest_snapshot(lake)
    old = [each.snapshot_id for each in snapshots(lake)[:-n_kept]]
    removed = tuple(snapshot_id for snapshot_id in old if snapshot_id != shown.snapshot_id)
    for snapshot_id in removed:
        outgoing = empty_folder(lake / "state" / "staging" / "removed") / snapshot_id
        (lake / "snapshots" / snapshot_id).rename(outgoing)
        shutil.rmtree(outgoing.parent)
    return removed


def _link_or_copy(source: Path, copy: Path) -> None:
    try:
        os.link(source, copy)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, copy)
