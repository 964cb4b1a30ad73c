"""Rewrite published snapshots without forgotten people, under the eyes of their readers.

A snapshot keeps its id. Its new folder is made whole beside; latest points there while the old
folder is taken away and a second one with the same files takes its place; then latest points
back. So whoever resolves latest once reads the old snapshot or the new one. Who reads the old
one by a lease is waited for, as long as the caller says, and then loses it.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from data_contracts.manifests import Manifest, SnapshotManifest
from tasks.files import empty_folder, replace_folder, sha256_of, staged_path
from tasks.forgetting.forget_parquet import Sought, Staged, count_hits, stage_without
from tasks.forgetting.forget_state import entries_after, table_rows, tables_below
from tasks.forgetting.forgotten import folder_of
from tasks.lake import night_folder
from tasks.snapshot.lease import readers
from tasks.snapshot.snapshot import link_or_copy, swap_latest
from tasks.steps import MANIFEST, commit, content_digest, read_manifest

logger = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2  # between two looks at leases


def clean_snapshots(lake: Path, wanted: Sought, *, deadline: float) -> Iterator[tuple[str, int]]:
    """Rewrite every snapshot that holds forgotten people; yield its id and the rows taken out.

    Args:
        lake: its root; the caller holds its lock.
        wanted: whom to look for.
        deadline: of the monotonic clock; until then readers of old folders are waited for.
    """
    beside = folder_of(lake) / "snapshots"
    for new in sorted(beside.glob("[!.]*")):  # made by a killed forgetting
        _swap(lake, lake / "snapshots" / new.name, new, deadline)
        yield new.name, 0
    for place in sorted((lake / "snapshots").glob("*")):
        new = beside / place.name
        removed = _make_beside(lake, place, new, wanted)
        if removed:
            _swap(lake, place, new, deadline)
            logger.info("forget: snapshot %s is without them", place.name)
            yield place.name, removed


def rewritten(folder: Path, wanted: Sought, target: Path) -> int:
    """Make a snapshot's folder anew without them; return rows taken out, 0 if nothing is made.

    Args:
        folder: of the snapshot; its files stay as they are.
        wanted: whom to look for.
        target: the new folder, there when it is whole.
    """
    tables = tables_below(folder)
    if not any(count_hits(path, wanted) for path in tables):
        return 0
    staging = empty_folder(target.with_name(f".{target.name}.new"))
    moves = []
    for path in _files(folder):
        copy = staging / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(path, copy)
        staged = stage_without(copy, wanted) if copy.suffix == ".parquet" else None
        if staged is not None:
            moves.append(staged)
    manifest = read_manifest(folder, SnapshotManifest)
    after = None if manifest is None else _after(staging, manifest, moves)
    for each in moves:
        staged_path(each.path).replace(each.path)
    _commit(staging, target, after)
    return sum(each.removed for each in moves)


def _after(staging: Path, manifest: SnapshotManifest, moves: list[Staged]) -> SnapshotManifest:
    files = entries_after(staging, manifest.files, moves)
    before = manifest.stands_for or content_digest(manifest)
    return manifest.model_copy(
        update={"files": files, "stands_for": before} | table_rows(files)
    )  # fmt: skip


def _commit(staging: Path, target: Path, manifest: Manifest | None) -> None:
    if manifest is None:  # of an older version: nobody opens it, and it is kept as it was
        replace_folder(staging, target)
    else:
        commit(staging, target, manifest)


def _files(folder: Path) -> list[Path]:
    """Return the files of a snapshot but its manifest, and nothing that a kill has left staged."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in found if path.name != MANIFEST and not path.name.startswith(".")]


def _make_beside(lake: Path, place: Path, new: Path, wanted: Sought) -> int:
    removed = rewritten(place, wanted, new)
    manifest = read_manifest(new, SnapshotManifest) if removed else None
    if manifest is not None:
        _share_with_night(night_folder(lake, manifest.run_date) / "materialise", new, manifest)
    return removed


def _share_with_night(made: Path, new: Path, manifest: SnapshotManifest) -> None:
    """Let the night that made the tables and the snapshot hold one file again, not two."""
    for entry in manifest.files:
        source, copy = made / entry.path, new / entry.path
        if not source.is_file() or source.samefile(copy):  # moving a file over itself does nothing
            continue
        if sha256_of(source) == entry.sha256:
            staged = staged_path(copy)
            staged.unlink(missing_ok=True)
            link_or_copy(source, staged)
            staged.replace(copy)


def _swap(lake: Path, place: Path, new: Path, deadline: float) -> None:
    """Put the new folder in the place of the old one; every state in between can be gone on from.

    Raises:
        StorageError: the disk is full or may not be written.
    """
    aside = new.relative_to(lake)
    shown = (lake / "latest").resolve()
    if shown == place.resolve():
        swap_latest(lake, aside)
    if not _same(place, new):
        wait_for(lake, place.name, deadline)
        _remove(lake, place)
        staging = empty_folder(new.with_name(f".{new.name}.second"))
        for path in (*_files(new), *new.glob(MANIFEST)):
            copy = staging / path.relative_to(new)
            copy.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, copy)
        replace_folder(staging, place)
    if (lake / "latest").resolve() == new.resolve():
        swap_latest(lake, place.relative_to(lake))
        wait_for(lake, place.name, deadline)
    shutil.rmtree(new)


def _same(place: Path, new: Path) -> bool:
    """Tell whether the second folder is in its place: it comes there as a whole."""
    old, now = ({path.relative_to(each) for path in _files(each)} for each in (place, new))
    return place.is_dir() and old == now and all(
        (place / path).stat().st_size == (new / path).stat().st_size
        and sha256_of(place / path) == sha256_of(new / path)
        for path in now
    )  # fmt: skip


def _remove(lake: Path, place: Path) -> None:
    if place.is_dir():
        outgoing = empty_folder(lake / "state" / "staging" / "forgotten") / place.name
        place.rename(outgoing)
        shutil.rmtree(outgoing.parent)


def wait_for(lake: Path, snapshot_id: str, deadline: float) -> None:
    """Wait until those have finished who read a snapshot now; past the deadline, go on."""
    reading = readers(lake, snapshot_id)
    while reading and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        reading = reading & readers(lake, snapshot_id)
    if reading:
        logger.warning(
            "forget: %d readers of %s have not finished in time and lose the old tables",
            len(reading), snapshot_id,
        )  # fmt: skip
