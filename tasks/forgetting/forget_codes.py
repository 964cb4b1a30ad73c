"""Forgotten people where codes stand for them: their rows go first, then the names of their codes.

A killed forgetting therefore still finds which codes are theirs. The place of a name stays,
empty, so that no other code changes its meaning.
"""

from pathlib import Path

import numpy as np
import polars as pl

from tasks.files import move_file, staged_path, sync
from tasks.forgetting.forget_parquet import Sought, Staged
from tasks.ingest.id_codes import codes_folder


class Coded:
    """Which codes of every user shard are of forgotten people."""

    def __init__(self, lake: Path, wanted: Sought) -> None:
        """Look into the tables of codes only when they are asked for."""
        self._lake, self._wanted = lake, wanted
        self._masks: dict[str, np.ndarray] = {}

    def stage(self, path: Path) -> Staged | None:
        """Write ingested events without theirs beside them; None where there are none."""
        rows = pl.read_parquet(path, glob=False, hive_partitioning=False)
        theirs = self._mask(path.name)[rows["user"].to_numpy()]
        if not theirs.any():
            return None
        staged = staged_path(path)
        kept = rows.filter(pl.Series(~theirs))
        kept.write_parquet(staged, compression="lz4")
        sync(staged)
        return Staged(path, kept.height, rows.height - kept.height)

    def drop_names(self) -> int:
        """Empty the places of their names in all tables of codes; return how many."""
        dropped = 0
        for path in sorted(codes_folder(self._lake).glob("shard-*.parquet")):
            ids = pl.read_parquet(path)["user_id"]
            theirs = self._wanted.people.mask(ids) & ids.is_not_null()
            if theirs.any():
                named = ids.to_frame().select(pl.when(~theirs).then("user_id").alias("user_id"))
                named.write_parquet(staged_path(path), compression="lz4")
                move_file(staged_path(path), path)
                dropped += int(theirs.sum())
        return dropped

    def _mask(self, name: str) -> np.ndarray:
        if name not in self._masks:
            path = codes_folder(self._lake) / name
            ids = pl.read_parquet(path)["user_id"] if path.exists() else pl.Series(dtype=pl.String)
            nameless = ids.is_null()  # forgotten before: a backup may have brought their rows back
            self._masks[name] = (self._wanted.people.mask(ids) | nameless).to_numpy()
        return self._masks[name]


def holds_codes(path: Path) -> bool:
    """Tell whether a table of the state has codes in place of user ids."""
    of_part = path.parents[1].name == "history" and path.parents[2].name == "state"
    return path.name.startswith("shard-") and (path.parent.name == "ingest" or of_part)


def n_nameless(lake: Path, path: Path) -> int:
    """Return how many ingested events are of somebody whose code has no name any more."""
    table = codes_folder(lake) / path.name
    if not table.exists():
        return 0
    gone = pl.read_parquet(table)["user_id"].is_null().to_numpy()
    users = pl.read_parquet(path, columns=["user"], glob=False, hive_partitioning=False)["user"]
    return int(gone[users.to_numpy()].sum()) if gone.any() else 0
