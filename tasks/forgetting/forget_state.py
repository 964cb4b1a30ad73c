"""Take forgotten people out of what nights hand to later nights, so that no night notices.

Every step keeps its key, and its manifest stands for what it was (Manifest.stands_for): what
was made of it is used again. All files of a step are staged first, then its manifest is written,
then they are moved in: a killed forgetting finds by the manifest which of them belong.
"""

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_contracts.manifests import (
    FileEntry,
    IngestManifest,
    Manifest,
    MatrixManifest,
    PartManifest,
    SnapshotManifest,
)
from tasks.files import move_file, sha256_of, staged_path, sync, write_text
from tasks.forgetting.forget_codes import Coded, holds_codes
from tasks.forgetting.forget_parquet import Sought, Staged, stage_without
from tasks.forgetting.forget_part import counted_days, stage_met, tables_after
from tasks.forgetting.forgotten import folder_of
from tasks.history.history_part import parts_folder
from tasks.history.matrix_shard import ASKED, asked_users, load_shard
from tasks.ingest.id_codes import codes_folder
from tasks.nights.replay_lake import replay_lake
from tasks.steps import MANIFEST, content_digest, manifest_text, read_manifest

logger = logging.getLogger(__name__)
_KINDS: dict[str, type[Manifest]] = {
    "ingest": IngestManifest,
    "history_part": PartManifest,
    "matrices": MatrixManifest,
    "materialise": SnapshotManifest,
}
_USERS = "users.parquet"
_REBUILT = ("staging", "checkpoints")  # unfinished work


def drop_unfinished(lake: Path) -> None:
    """Remove what killed nights and replays left half-done: it may hold anybody, and is redone.

    A training that was cut short begins anew, as its matrices will have fewer rows. Matrices that
    an earlier version wrote go too: no night reads them.
    """
    for state in (lake / "state", replay_lake(lake) / "state"):
        for name in _REBUILT:
            shutil.rmtree(state / name, ignore_errors=True)
    for night in (replay_lake(lake) / "state" / "nights").glob("run_date=*"):
        for step in ("history", "matrices", "train", "judge"):
            shutil.rmtree(night / step, ignore_errors=True)
    shutil.rmtree(parts_folder(replay_lake(lake)), ignore_errors=True)
    for users in (lake / "state" / "nights").glob(f"run_date=*/matrices/shard-*/{_USERS}"):
        if not (users.parent / ASKED).exists():
            shutil.rmtree(users.parent)


def clean_state(lake: Path, wanted: Sought) -> Counter[str]:
    """Take them out of every table of the state; return rows taken out by kind of place."""
    removed: Counter[str] = Counter()
    coded = Coded(lake, wanted)
    for folder, tables in _step_folders(lake):
        _finish_moves(folder)
        found = (
            coded.stage(table) if holds_codes(table) else stage_without(table, wanted)
            for table in tables
        )  # fmt: skip
        staged = [each for each in found if each is not None]
        if not staged:
            continue
        moves = [move for each in staged for move in _with_arrays(each, wanted)]
        moves += stage_met(folder, moves)
        for place in {each.path.parent for each in moves}:
            sync(place)
        _rewrite_manifest(folder, moves)
        for each in moves:
            move_file(staged_path(each.path), each.path)
        removed[folder.name] += sum(each.removed for each in staged)
        logger.info("forget: %s is without them", folder)
    coded.drop_names()
    return removed


def clean_refused(lake: Path, wanted: Sought) -> int:
    """Take them out of quarantine and out of what imports refused; return rows taken out."""
    removed = 0
    for top in ("quarantine", "imports"):
        for path in tables_below(lake / top):
            staged = stage_without(path, wanted._replace(words=True))
            if staged is not None:
                move_file(staged_path(path), path)
                removed += staged.removed
    return removed


def tables_below(folder: Path) -> list[Path]:
    """Return every Parquet file below a folder; links are not followed."""
    return [
        Path(place) / name
        for place, _, names in sorted(os.walk(folder))
        for name in sorted(names)
        if name.endswith(".parquet") and not (Path(place) / name).is_symlink()
    ]


def _step_folders(lake: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield folders of finished steps, or of loose files, with their tables."""
    groups: dict[Path, list[Path]] = {}
    for path in tables_below(lake / "state"):
        if path.is_relative_to(folder_of(lake)) or path.parent == codes_folder(lake):
            continue
        owners = [each for each in path.parents if (each / MANIFEST).is_file()]
        inside = [each for each in owners if each.is_relative_to(lake / "state")]
        groups.setdefault(inside[0] if inside else path.parent, []).append(path)
    yield from groups.items()


def _finish_moves(folder: Path) -> None:
    """Move in what a killed forgetting has staged and its manifest names; remove the rest."""
    path = folder / MANIFEST
    files = json.loads(path.read_text(encoding="utf-8"))["files"] if path.is_file() else []
    named = {entry["path"]: entry["sha256"] for entry in files}
    loose = not path.is_file()  # then folders below are others' steps
    for staged in sorted(folder.glob(".*.new") if loose else folder.rglob(".*.new")):
        target = staged.with_name(staged.name[1 : -len(".new")])
        if named.get(target.relative_to(folder).as_posix()) == sha256_of(staged):
            move_file(staged, target)
        else:
            staged.unlink()


def _with_arrays(staged: Staged, wanted: Sought) -> Iterator[Staged]:
    """Yield a staged table, and after it the arrays whose rows are the same users."""
    place = staged.path.parent
    if staged.path.name == _USERS and place.name.startswith("shard-"):
        number = int(place.name.removeprefix("shard-"))
        for path in _stage_beside(place, number, wanted):
            yield Staged(path, staged.rows, 0)
    yield staged


def _stage_beside(place: Path, number: int, wanted: Sought) -> Iterator[Path]:
    matrices = load_shard(place.parent, number)
    kept = matrices.of_users(~wanted.people.mask(matrices.users).to_numpy())
    for name, values in kept.arrays().items():
        yield _stage_array(place / name, values)


def _stage_array(path: Path, values: np.ndarray) -> Path:
    """Write an array beside its place, on the disk; return the place."""
    with staged_path(path).open("wb") as file:
        np.save(file, values, allow_pickle=False)
    sync(staged_path(path))
    return path


def _rewrite_manifest(folder: Path, moves: list[Staged]) -> None:
    """Write the manifest of what the folder will hold when all files are moved in."""
    path = folder / MANIFEST
    if not path.is_file():
        return
    step = json.loads(path.read_text(encoding="utf-8"))["step"]
    manifest = read_manifest(folder, _KINDS.get(step, Manifest))
    if manifest is None:  # of an older version: no night reads it
        return
    before = manifest.stands_for or content_digest(manifest)
    files = entries_after(folder, manifest.files, moves)
    update: dict[str, object] = {"files": files, "stands_for": before}
    if isinstance(manifest, PartManifest):
        update |= {"days": counted_days(manifest, tables_after(folder, moves))}
    if isinstance(manifest, MatrixManifest):
        update |= _matrix_counts(folder, moves, files)
    if isinstance(manifest, SnapshotManifest):
        update |= table_rows(files)
    write_text(path, manifest_text(manifest.model_copy(update=update)))


def entries_after(
    folder: Path, before: tuple[FileEntry, ...], moves: list[Staged]
) -> tuple[FileEntry, ...]:
    """Return the entries of a manifest once staged files are moved in."""
    staged = {each.path.relative_to(folder).as_posix(): each for each in moves}
    return tuple(
        _entry(staged[each.path], each) if each.path in staged else each for each in before
    )


def _entry(staged: Staged, before: FileEntry) -> FileEntry:
    path = staged_path(staged.path)
    return FileEntry(
        path=before.path, rows=staged.rows, bytes=path.stat().st_size, sha256=sha256_of(path)
    )


def table_rows(files: tuple[FileEntry, ...]) -> dict[str, object]:
    """Return rows per table and the number of short lists, as a snapshot's manifest tells them."""
    rows: Counter[str] = Counter()
    for entry in files:
        rows[entry.path.partition("/")[0]] += entry.rows
    return {"rows": dict(rows), "short_lists": rows["short_lists"]}


def _matrix_counts(
    folder: Path, moves: list[Staged], files: tuple[FileEntry, ...]
) -> dict[str, int]:
    def arrays(name: str) -> list[np.ndarray]:
        names = [entry.path for entry in files if entry.path.endswith(f"/{name}")]
        return [np.load(path, allow_pickle=False) for path in _after(folder, moves, names)]

    ends, asked = arrays("full.indptr.npy"), arrays(ASKED)
    judged = (asked_users(*shard) for shard in zip(ends, asked, strict=True))
    return {
        "n_users": sum(len(each) - 1 for each in ends),
        "n_interactions": sum(int(each[-1]) for each in ends),
        "n_heldout_users": sum(int(each.sum()) for each in judged),
    }


def _after(folder: Path, moves: list[Staged], names: list[str]) -> list[Path]:
    """Return where to read what the files of a folder will be."""
    staged = {each.path for each in moves}
    paths = [folder / name for name in names]
    return [staged_path(path) if path in staged else path for path in paths if path.exists()]
