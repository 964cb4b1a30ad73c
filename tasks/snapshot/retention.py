"""Which snapshots go: all but the newest, never one that is shown or read."""

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from data_contracts.manifests import SnapshotManifest
from tasks.files import empty_folder, sync


def by_age(found: Sequence[SnapshotManifest]) -> list[SnapshotManifest]:
    """Return snapshots in the order of their run dates, oldest first."""
    return sorted(found, key=lambda each: (each.run_date, each.snapshot_id))


def outlived(
    found: Sequence[SnapshotManifest], n_kept: int, protected: Collection[str]
) -> tuple[str, ...]:
    """Return the ids to remove, oldest first: all but the newest and those protected."""
    old = [each.snapshot_id for each in by_age(found)[:-n_kept]]
    return tuple(snapshot_id for snapshot_id in old if snapshot_id not in protected)


def remove_snapshots(lake: Path, snapshot_ids: Sequence[str]) -> None:
    """Remove snapshots of a lake, each out of sight in one step."""
    outgoing = empty_folder(lake / "state" / "staging" / "removed")  # of a killed night, too
    for snapshot_id in snapshot_ids:
        (lake / "snapshots" / snapshot_id).rename(outgoing / snapshot_id)
    sync(lake / "snapshots")
    shutil.rmtree(outgoing)
