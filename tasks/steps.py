"""Steps of a night: done once, kept with a manifest, used again while nothing they saw has changed.

A step writes into a staging folder outside the state it will become part of. Its manifest
is written last and the folder is moved into place as a whole, so a killed night finds
either a finished step or none. A long step may keep the files that it finished (see once).
"""

import contextlib
import functools
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

import data_contracts
import models
import tasks
from data_contracts.frozen import Frozen
from data_contracts.manifests import FileEntry, Manifest
from tasks.files import (
    digest,
    empty_folder,
    explained,
    move_file,
    replace_folder,
    sha256_of,
    staged_path,
    sync,
    write_text,
)
from tasks.lake import Night

logger = logging.getLogger(__name__)
MANIFEST = "manifest.json"
_THREADS = 2
KEY, NOTE = ".key", ".note"  # of a staging folder, and of a finished file in it
M = TypeVar("M", bound=Manifest)
N = TypeVar("N", bound=Frozen)


def run_step(
    night: Night,
    name: str,
    kind: type[M],
    *,
    settings: Mapping[str, Any],
    inputs: Iterable[Manifest] = (),
    work: Callable[[Path, str], M],
    resume: bool = False,
) -> M:
    """Return the manifest of a step, doing its work only if that is not done yet.

    Args:
        night: run date and configuration.
        name: the step, also the name of its folder.
        kind: class of its manifest.
        settings: every setting and outside fact the work depends on, JSON-like.
        inputs: manifests of the steps it reads.
        work: called with a staging folder and the step's key; writes its files there and
            returns the manifest (see entries).
        resume: keep what a killed attempt with the same key has staged, for work that is
            done file by file (see once); otherwise the staging folder is empty.

    Returns:
        The manifest as it lies in the night's folder.

    Raises:
        StorageError: the disk is full or may not be written.
    """
    key = step_key(night, name, settings=settings, inputs=inputs)
    finished = read_manifest(night.step(name), kind)
    if finished is not None and finished.key == key and is_whole(night.step(name), finished):
        logger.info("%s: finished before, used again", name)
        return finished
    with explained(night.lake):
        staging = _staging(night.state / "staging" / name, key, resume=resume)
        manifest = work(staging, key)
        commit(staging, night.step(name), manifest)
    return manifest


def once(path: Path, kind: type[N], write: Callable[[Path], N]) -> N:
    """Return the note of a file in a staging folder, writing the file only if it is not finished.

    The note is written beside the file after it, so it is there only if the file is whole.
    Neither it nor anything else that the manifest does not name gets published.

    Args:
        path: the file, in the staging folder of a step with ``resume=True``.
        kind: class of the note.
        write: called with the path to write to, beside ``path``; returns the note. Other
            files that it writes must be on the disk when it returns.
    """
    note = path.with_name(f".{path.name}{NOTE}")
    finished = _read_note(note, path, kind)
    if finished is not None:
        logger.debug("%s: finished before, used again", path)
        return finished
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = staged_path(path)
    written = write(staged)
    move_file(staged, path)
    write_text(note, _note_text(path, written))
    return written


def step_key(
    night: Night, name: str, *, settings: Mapping[str, Any], inputs: Iterable[Manifest] = ()
) -> str:
    """Digest of all that goes into a step."""
    return digest(
        {
            "step": name,
            "run_date": night.run_date,
            "settings": settings,
            "inputs": [content_digest(manifest) for manifest in inputs],
            "code": code_version(),
        }
    )


def content_digest(manifest: Manifest) -> str:
    """Digest of what a step left behind, whatever way it came about.

    What people were taken out of since stands for what it was (see Manifest.stands_for).
    """
    if manifest.stands_for is not None:
        return manifest.stands_for
    return digest(manifest.model_dump(mode="json", exclude={"key", "stands_for"}))


def commit(staging: Path, folder: Path, manifest: Manifest) -> None:
    """Write the manifest into the staged folder and move that into place."""
    write_text(staging / MANIFEST, manifest_text(manifest))
    replace_folder(staging, folder)


def manifest_text(manifest: Manifest) -> str:
    """Return what the file of a manifest holds."""
    return manifest.model_dump_json(indent=2) + "\n"


def read_manifest(folder: Path, kind: type[M]) -> M | None:
    """Return the manifest of a finished step, or None where there is none that fits."""
    try:
        return kind.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError:
        logger.warning("%s: manifest of an older version, the step is done again", folder)
        return None


def is_whole(folder: Path, manifest: Manifest) -> bool:
    """Tell whether every file of a manifest is there with its size."""
    paths = ((folder / entry.path, entry.bytes) for entry in manifest.files)
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def entries(folder: Path, rows: Mapping[str, int]) -> tuple[FileEntry, ...]:
    """Return one entry per staged file; rows maps a relative path to its row count."""

    def entry(path: str) -> FileEntry:
        file = folder / path
        digest_of_file = sha256_of(file)
        sync(file)  # here, so that it goes to the disk while another one is read
        return FileEntry(
            path=path, rows=rows[path], bytes=file.stat().st_size, sha256=digest_of_file
        )

    with ThreadPoolExecutor(_THREADS) as threads:
        return tuple(threads.map(entry, sorted(rows)))


def _staging(folder: Path, key: str, *, resume: bool) -> Path:
    if not resume:
        return empty_folder(folder)
    with contextlib.suppress(OSError):
        if (folder / KEY).read_text(encoding="utf-8") == key:
            logger.info("%s: what a killed attempt has finished is used again", folder.name)
            return folder
    write_text(empty_folder(folder) / KEY, key)
    return folder


def _note_text(path: Path, note: Frozen) -> str:
    return json.dumps({"bytes": path.stat().st_size, "note": note.model_dump(mode="json")})


def _read_note(note: Path, path: Path, kind: type[N]) -> N | None:
    try:
        kept = json.loads(note.read_text(encoding="utf-8"))
        whole = path.stat().st_size == kept["bytes"]
        return kind.model_validate(kept["note"]) if whole else None
    except (FileNotFoundError, ValueError, KeyError):  # a pydantic error is a ValueError
        return None


@functools.cache
def code_version() -> str:
    """Short digest of our own source: a changed helper makes every step new."""
    digester = hashlib.sha256()
    for package in (data_contracts, models, tasks):
        (folder,) = package.__path__
        for path in sorted(Path(folder).rglob("*.py")):
            digester.update(path.name.encode() + b"\0" + path.read_bytes())
    return digester.hexdigest()[:12]
