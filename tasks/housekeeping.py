"""Keep the state of a lake from growing with the number of nights."""

import logging
import shutil
from collections.abc import Collection
from datetime import date, timedelta
from pathlib import Path

from data_contracts.manifests import HistoryManifest
from tasks.history.history_part import parts_folder
from tasks.lake import Night, night_folder, nights
from tasks.steps import MANIFEST, read_manifest

logger = logging.getLogger(__name__)
REMADE = ("history", "last_events", "matrices", "materialise")  # from the ingests of all nights
N_KEPT = 2  # newest nights
_N_WINDOWS = 2  # so long events are kept: any night of the last window can be run again


def drop_old_state(night: Night) -> int:
    """Remove the files of old nights that can be made again; return how many.

    Manifests stay, so it is known what a night did; a night that is run again finds its
    files missing and makes them anew.
    """
    earlier = [day for day in nights(night.lake) if day < night.run_date]
    old = earlier[: -(N_KEPT - 1)]
    n_removed = sum(
        _drop_files(night_folder(night.lake, day) / step) for day in old for step in REMADE
    )
    oldest = night.run_date - timedelta(days=_N_WINDOWS * night.config.history.window_days)
    ancient = [day for day in earlier if day < oldest]
    n_removed += sum(_drop_files(night_folder(night.lake, day) / "ingest") for day in ancient)
    n_removed += _drop_parts(night.lake, set(nights(night.lake)) - set(old))
    if n_removed:
        logger.info("housekeeping: %d files of %d old nights removed", n_removed, len(old))
    return n_removed


def _drop_parts(lake: Path, kept: Collection[date]) -> int:
    """Remove the parts of the history that none of these nights reads."""
    folders = (night_folder(lake, day) / "history" for day in kept)
    read = {
        part.name
        for folder in folders
        if (manifest := read_manifest(folder, HistoryManifest)) is not None
        for part in manifest.parts
    }
    unread = [folder for folder in parts_folder(lake).glob("*") if folder.name not in read]
    n_files = sum(len(list(folder.iterdir())) for folder in unread)
    for folder in unread:
        shutil.rmtree(folder)
    return n_files


def _drop_files(folder: Path) -> int:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST]
    for path in files:
        path.unlink()
    return len(files)
