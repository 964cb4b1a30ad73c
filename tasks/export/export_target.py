"""Targets of an export: replaced as a whole, and only if an export made them."""

import ctypes
import os
import shutil
from pathlib import Path

from data_contracts.errors import ConfigError
from tasks.files import sync, sync_tree

MARKER = "export.json"
_AT_FDCWD, _EXCHANGE = -100, 2  # of renameat2 on Linux


def refuse_foreign_folder(folder: Path) -> None:
    """Raise ConfigError if a folder holds anything that no export has put there."""
    if not folder.exists() or (folder / MARKER).is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise ConfigError(
            f"{folder} must be absent, empty or the target of an earlier export: name another one"
        )


def sibling(target: Path) -> Path:
    """Return the place beside a target where its successor is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.new")


def swap_folder(staged: Path, target: Path) -> None:
    """Put a staged folder in the place of its target; the target is whole at every moment.

    Where the file system cannot exchange two names, there is a moment without a target.
    """
    sync_tree(staged)
    if not target.exists():
        staged.rename(target)
    elif _exchange(staged, target):
        shutil.rmtree(staged)
    else:
        outgoing = target.with_name(f".{target.name}.old")
        shutil.rmtree(outgoing, ignore_errors=True)
        target.rename(outgoing)
        staged.rename(target)
        shutil.rmtree(outgoing)
    sync(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # no Linux, or an old one
        return False
    paths = os.fsencode(one), os.fsencode(other)
    return rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _EXCHANGE) == 0
