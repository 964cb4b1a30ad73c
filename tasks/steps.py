"""Steps of a night: done once, kept with a manifest, used again while nothing they saw has changed.

A step writes into a staging folder outside the state it will become part of. Its manifest
is written last and the folder is moved into place as a whole, so a killed night finds
either a finished step or none.
"""

import functools
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

import data_contracts
import models
import tasks
from data_contracts.manifests import FileEntry, Manifest
from tasks.files import digest, empty_folder, replace_folder, sha256_of, write_text
from tasks.lake import Night

logger = logging.getLogger(__name__)
MANIFEST = "manifest.json"
M = TypeVar("M", bound=Manifest)


def run_step(
    night: Night,
    name: str,
    kind: type[M],
    *,
    settings: Mapping[str, Any],
    inputs: Iterable[Manifest] = (),
    work: Callable[[Path, str], M],
) -> M:
    """Return the manifest of a step, doing its work only if that is not done yet.

    Args:
        night: run date and configuration.
        name: the step, also the name of its folder.
        kind: class of its manifest.
        settings: every setting and outside fact the work depends on, JSON-like.
        inputs: manifests of the steps it reads.
        work: called with an empty staging folder and the step's key; writes its files
            there and returns the manifest (see entries).

    Returns:
        The manifest as it lies in the night's folder.
    """
    key = step_key(night, name, settings=settings, inputs=inputs)
    finished = read_manifest(night.step(name), kind)
    if finished is not None and finished.key == key and is_whole(night.step(name), finished):
        logger.info("%s: finished before, used again", name)
        return finished
    staging = empty_folder(night.state / "staging" / name)
    manifest = work(staging, key)
    commit(staging, night.step(name), manifest)
    return manifest


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
    """Digest of what a step left behind, whatever way it came about."""
    return digest(manifest.model_dump(mode="json", exclude={"key"}))


def commit(staging: Path, folder: Path, manifest: Manifest) -> None:
    """Write the manifest into the staged folder and move that into place."""
    write_text(staging / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    replace_folder(staging, folder)


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
    return tuple(
        FileEntry(
            path=path,
            rows=rows[path],
            bytes=(folder / path).stat().st_size,
            sha256=sha256_of(folder / path),
        )
        for path in sorted(rows)
    )


@functools.cache
def code_version() -> str:
    """Short digest of our own source: a changed helper makes every step new."""
    digester = hashlib.sha256()
    for package in (data_contracts, models, tasks):
        (folder,) = package.__path__
        for path in sorted(Path(folder).rglob("*.py")):
            digester.update(path.name.encode() + b"\0" + path.read_bytes())
    return digester.hexdigest()[:12]
