"""Files that only their owner may read: keys, and lists of hashes."""

import os
import secrets
from pathlib import Path

from tasks.files import make_folder, move_file, staged_path, sync


def write_private(path: Path, text: str) -> None:
    """Replace a file that only its owner may read."""
    make_folder(path.parent)
    staged = staged_path(path)
    staged.unlink(missing_ok=True)
    _fill(staged, text)
    move_file(staged, path)


def create_private(path: Path, text: str) -> bool:
    """Write a file that only its owner may read, unless there is one; tell whether it was written.

    Of several processes that do so at once, one writes and the others are told.
    """
    staged = make_folder(path.parent) / f".{path.name}.{secrets.token_hex(4)}.new"
    _fill(staged, text)
    sync(staged)
    try:
        path.hardlink_to(staged)
    except FileExistsError:
        return False
    finally:
        staged.unlink()
        sync(path.parent)
    return True


def _fill(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
