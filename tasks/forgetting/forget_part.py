"""What a part of the history tells of its days, once people were taken out of its events."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.interactions import day_start
from data_contracts.manifests import JudgedDay, PartManifest
from tasks.calendar import micros
from tasks.files import staged_path, sync
from tasks.forgetting.forget_parquet import Staged
from tasks.history.history_part import MET, met_items
from tasks.steps import read_manifest


def tables_after(folder: Path, moves: Sequence[Staged]) -> list[Path]:
    """Return where to read the tables of a folder as they will be once all is moved in."""
    staged = {each.path for each in moves}
    return [
        staged_path(path) if path in staged else path for path in sorted(folder.glob("*.parquet"))
    ]


def stage_met(folder: Path, moves: Sequence[Staged]) -> list[Staged]:
    """Write anew which items the days of a part have, beside their place; of others nothing."""
    manifest = read_manifest(folder, PartManifest)
    if manifest is None or manifest.step != "history_part" or not moves:
        return []
    before = np.load(folder / MET, allow_pickle=False)
    met = np.zeros_like(before)
    for path in tables_after(folder, moves):
        rows = pl.read_parquet(path, columns=["item", "timestamp"], glob=False)
        place = _places(manifest, rows["timestamp"])
        n_items = 8 * before.shape[1]
        met |= met_items(place, rows["item"].to_numpy(), n_days=len(met), n_items=n_items)
    with staged_path(folder / MET).open("wb") as file:
        np.save(file, met, allow_pickle=False)
    sync(staged_path(folder / MET))
    return [Staged(folder / MET, len(met), 0)]


def counted_days(manifest: PartManifest, tables: Sequence[Path]) -> dict[date, JudgedDay]:
    """Return the days of a part with the events that are left of every file."""
    left: Counter[tuple[int, int]] = Counter()
    for path in tables:
        rows = pl.read_parquet(path, columns=["file", "timestamp"], glob=False)
        places = pl.Series("place", _places(manifest, rows["timestamp"]))
        counts = rows.select("file", places).group_by("file", "place").agg(n=pl.len())
        for file, place, n in counts.iter_rows():
            left[file, place] += n
    return {
        day: judged.model_copy(
            update={
                "accounts": tuple(
                    each.model_copy(update={"history": left[each.source, place]})
                    for each in judged.accounts
                )
            }
        )
        for place, (day, judged) in enumerate(sorted(manifest.days.items()))
    }


def _places(manifest: PartManifest, timestamp: pl.Series) -> np.ndarray:
    """Return the place of every moment's day among the part's days."""
    days = sorted(manifest.days)
    starts = [micros(day_start(day, manifest.time_zone)) for day in days]
    moment = timestamp.to_physical().to_numpy()
    return np.searchsorted(np.array(starts, np.int64), moment, side="right") - 1
