"""Writing that survives a kill: staged beside the target, fsynced, moved over it."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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


def write_text(path: Path, text: str) -> None:
    """Replace a small file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sibling = path.with_name(f".{path.name}.new")
    sibling.write_text(text, encoding="utf-8")
    sync(sibling)
    sibling.replace(path)
    sync(path.parent)


def empty_folder(folder: Path) -> Path:
    """Return the folder, made anew and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def replace_folder(staged: Path, target: Path) -> None:
    """Move a finished folder over its target; the target is never seen half-written."""
    sync_tree(staged)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        outgoing = empty_folder(staged.parent / f"{staged.name}.old") / target.name
        target.rename(outgoing)
        shutil.rmtree(outgoing.parent)
    staged.rename(target)
    sync(target.parent)
