"""The matrices of one user shard: CSR arrays that are opened without being read.

Of the four only `full` is written whole. The others are told by it: by the few entries whose weight
before the cut is another one, and by those that are asked.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp

from models.event.pair import csr_of
from tasks.lake import shard_name

ASKED = "asked.npy"
_PARTS = ("indptr", "indices", "data")
_TOLD = ("changed", "before", "asked")


@dataclass(frozen=True)
class MatrixShard:
    """The matrices of one user shard; rows are users, columns are items of the vocabulary."""

    users: pl.Series
    full: sp.csr_array  # all up to the run date
    changed: np.ndarray  # entries of full that had another weight before the cut, by place, sorted
    before: np.ndarray  # that weight, 0 for none
    asked: np.ndarray  # entries of full that are asked, by place, sorted

    @functools.cached_property
    def train(self) -> sp.csr_array:
        """Events before the held-out days."""
        return self._some(self._before, self._before > 0)

    @functools.cached_property
    def fold_in(self) -> sp.csr_array:
        """Shown of judged users: what is not asked of them, as of before the cut if it was met."""
        shown = np.repeat(self.is_judged, np.diff(self.full.indptr))
        shown[self.asked] = False
        return self._some(np.where(self._before > 0, self._before, self.full.data), shown)

    @functools.cached_property
    def target(self) -> sp.csr_array:
        """Asked of judged users."""
        taken = np.zeros(self.full.nnz, bool)
        taken[self.asked] = True
        return self._some(self.full.data, taken)

    @functools.cached_property
    def is_judged(self) -> np.ndarray:
        """Tell of every user whether something is asked of them, shape (n_users,)."""
        return asked_users(self.full.indptr, self.asked)

    @functools.cached_property
    def n_before(self) -> np.ndarray:
        """Items of every user in train, shape (n_users,)."""
        new = _users_of(self.full.indptr, self.changed[self.before == 0])
        return np.diff(self.full.indptr) - np.bincount(new, minlength=self.full.shape[0])

    @functools.cached_property
    def _before(self) -> np.ndarray:
        weight = np.array(self.full.data)
        weight[self.changed] = self.before
        return weight

    def _some(self, weight: np.ndarray, taken: np.ndarray) -> sp.csr_array:
        indptr, indices, data = csr_of(self.full.indptr, self.full.indices, weight, taken)
        return sp.csr_array((data, indices, indptr), shape=self.full.shape, copy=False)

    def of_users(self, kept: np.ndarray) -> "MatrixShard":
        """Return the shard without the other users.

        Args:
            kept: who stays, shape (n_users,) bool.
        """
        taken = np.repeat(kept, np.diff(self.full.indptr))
        place = np.cumsum(taken) - 1
        changed, asked = taken[self.changed], taken[self.asked]
        return MatrixShard(
            users=self.users.filter(pl.Series(kept)),
            full=self.full[np.flatnonzero(kept)],
            changed=place[self.changed[changed]],
            before=self.before[changed],
            asked=place[self.asked[asked]],
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what is written besides the users, by name of file.

        All places have one type, as scipy wants it: it copies a mapped array of another.
        """
        index = np.int32 if self.full.nnz < 2**31 else np.int64
        parts = {f"full.{part}.npy": getattr(self.full, part) for part in _PARTS}
        parts |= {"full.shape.npy": np.asarray(self.full.shape)}
        parts |= {f"{name}.npy": getattr(self, name) for name in _TOLD}
        weights = ("full.data.npy", "before.npy")
        return {
            name: values.astype(np.float32 if name in weights else index, copy=False)
            for name, values in parts.items()
        }


def asked_users(indptr: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Tell of every user whether an entry is asked of them, shape (n_users,) bool.

    Args:
        indptr: where each user's entries begin and end.
        asked: places of entries.
    """
    found = np.zeros(len(indptr) - 1, bool)
    found[_users_of(indptr, asked)] = True
    return found


def _users_of(indptr: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the user of each of these entries."""
    return np.searchsorted(indptr, places, side="right") - 1


def save_shard(place: Path, shard: MatrixShard) -> None:
    """Write the users and arrays of a shard into its folder."""
    shard.users.to_frame().write_parquet(place / "users.parquet")
    for name, values in shard.arrays().items():
        np.save(place / name, values, allow_pickle=False)


def load_shard(folder: Path, shard: int) -> MatrixShard:
    """Return one user shard of a finished step, its arrays memory-mapped."""
    place = folder / shard_name(shard)
    users = pl.read_parquet(place / "users.parquet")["user_id"]
    indptr, indices, data, *told = (
        np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in (*(f"full.{part}" for part in _PARTS), *_TOLD)
    )
    shape = np.load(place / "full.shape.npy", allow_pickle=False)
    full = sp.csr_array((data, indices, indptr), shape=tuple(shape), copy=False)
    return MatrixShard(users, full, *told)
