"""Put finished files where the lake expects them, over nothing that is there."""

import errno
import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from data_contracts.bucket_pattern import in_bucket
from data_contracts.errors import ConfigError, ContractViolationError
from tasks.files import sha256_of, staged_path, sync

_N_SYNCS = 32


def log_file(lake: Path, pattern: str, name: str, day: date) -> Path:
    """Return the place of one day's file under the pattern of the log.

    Raises:
        ConfigError: a folder of the pattern is not named but described.
    """
    return _named(lake, pattern.replace("{date}", str(day)), name, "interactions.files")


def catalogue_file(lake: Path, pattern: str, name: str) -> Path:
    """Return the place of a file under the pattern of the catalogue.

    Raises:
        ConfigError: a folder of the pattern is not named but described.
    """
    return _named(lake, pattern.replace("**/", ""), name, "items.files")


def refuse_foreign(staged: Mapping[Path, Path]) -> set[Path]:
    """Return the targets that hold the same bytes already.

    Args:
        staged: target -> finished file.

    Raises:
        ContractViolationError: a target holds something else.
    """
    present = {target: file for target, file in staged.items() if target.exists()}
    other = [target for target, file in present.items() if not _same(target, file)]
    if other:
        raise ContractViolationError(
            f"{other[0]} must not be there or hold what this import would write, got other "
            f"content ({len(other)} such files): give another --name if the rows are others, or "
            "move the files away; nothing was imported"
        )
    return set(present)


def place(staged: Path, target: Path) -> set[Path]:
    """Move a finished file to a place that is empty; return the folders to be synced then.

    Raises:
        ContractViolationError: something lies there by now.
    """
    above = [folder for folder in target.parents if not folder.is_dir()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _link(staged, target)
    except FileExistsError as error:
        raise ContractViolationError(
            f"{target} must not be there, but was written while this import ran: give another "
            "--name, and run it again"
        ) from error
    staged.unlink()
    return {target.parent, *(folder.parent for folder in above)}


def sync_all(paths: Iterable[Path]) -> None:
    """Force files or folders to the disk, several at once: a journal writes them together."""
    with ThreadPoolExecutor(_N_SYNCS) as pool:
        for _ in pool.map(sync, paths):
            pass


def _link(staged: Path, target: Path) -> None:
    try:
        os.link(staged, target)
        return
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
    if target.exists():
        raise FileExistsError(target)
    near = staged_path(target)  # another disk, or one without links
    shutil.copyfile(staged, near)
    sync(near)
    near.replace(target)


def _same(target: Path, file: Path) -> bool:
    if not target.is_file() or target.stat().st_size != file.stat().st_size:
        return False
    return sha256_of(target) == sha256_of(file)


def _named(lake: Path, pattern: str, name: str, setting: str) -> Path:
    if in_bucket(pattern):
        raise ConfigError(
            f"{setting} must lie in a folder to be imported into, got {pattern}: import into "
            "a lake with a local log, and copy its files to the store"
        )
    folder, _, file = pattern.rpartition("/")
    if set("*?[") & set(folder) or set("?[") & set(file) or file.count("*") > 1:
        raise ConfigError(
            f"{setting} must name the folder of its files, and describe their names by one * at "
            f"most, got {pattern}: import into a lake with such a pattern"
        )
    return lake / folder / file.replace("*", f"import-{name}")
