"""Writing that survives a kill: staged beside the target, fsynced, moved over it."""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_contracts.errors import HoarfrostError

_ADVICE = {
    errno.ENOSPC: "free some space and run the night again",
    errno.EDQUOT: "free some space or raise the quota, and run the night again",
    errno.EFBIG: "raise the limit on the size of files, and run the night again",
    errno.EROFS: "mount it for writing",
    errno.EACCES: "let the user of this process write there",
    errno.EPERM: "let the user of this process write there",
}


class StorageError(HoarfrostError):
    """A place cannot be written: full, read-only or out of reach. Nothing published is lost."""


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Turn what a full or read-only disk raises into a sentence with a path and what to do.

    Raises:
        StorageError: the disk is full, over its quota, read-only or belongs to somebody else.
    """
    try:
        yield
    except HoarfrostError:
        raise
    except Exception as error:
        number = _number(error)
        advice = _ADVICE.get(number)
        if advice is None:
            raise
        path = getattr(error, "filename2", None) or getattr(error, "filename", None) or place
        raise StorageError(
            f"{path} must be writable, got: {os.strerror(number).lower()}; "
            f"the last snapshot is untouched: {advice}"
        ) from error


def _number(error: Exception) -> int:
    """Return the number of the kernel's refusal, 0 where it is none."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    stated = re.search(r"\(os error (\d+)\)", str(error))  # polars says it in words only
    return int(stated[1]) if stated else 0


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Mapping[str, Any]) -> str:
    """Hex digest of a JSON-like value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def sync(path: Path) -> None:
    """Force a file or a folder entry to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Force every file and folder below, and the folder itself, to the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if not path.is_symlink():
            sync(path)
    sync(folder)


def staged_path(path: Path) -> Path:
    """Return the hidden sibling that a file is written to before it is moved into place."""
    return path.with_name(f".{path.name}.new")


def move_file(staged: Path, path: Path) -> None:
    """Move a finished file over its target; both are on the disk when this returns."""
    sync(staged)
    staged.replace(path)
    sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace a small file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = staged_path(path)
    staged.write_text(text, encoding="utf-8")
    move_file(staged, path)


def make_folder(folder: Path) -> Path:
    """Return the folder, made with its parents where missing, all of them on the disk."""
    if not folder.is_dir():
        parent = make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(parent)
    return folder


def empty_folder(folder: Path) -> Path:
    """Return the folder, made anew and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def replace_folder(staged: Path, target: Path) -> None:
    """Move a finished folder over its target; the target is never seen half-written."""
    sync_tree(staged)
    make_folder(target.parent)
    if target.exists():
        outgoing = empty_folder(staged.parent / f"{staged.name}.old") / target.name
        target.rename(outgoing)
        shutil.rmtree(outgoing.parent)
    staged.rename(target)
    sync(target.parent)
