"""What may be listed to whom, checked once and cut to a block of rows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from models.ranking.ranking_rows import entries, nothing
from models.ranking.selection import Entries, Rules

_WORTH_GATHERING = 0.75  # of the items; above, it is cheaper to score what nobody may be shown


@dataclass(frozen=True)
class Masks:
    """Rules of all rows."""

    hidden: sp.csr_array  # (n_rows, n_items), sorted
    eligible: np.ndarray  # (n_groups, n_items) bool
    group: np.ndarray  # (n_rows,) int32
    allowed: sp.csr_array | None
    extra: np.ndarray  # (n_items,) or (0,) float32
    floor: np.float32

    @classmethod
    def checked(
        cls, hidden: sp.csr_array, eligible: np.ndarray, *,
        group: np.ndarray | None = None, allowed: sp.csr_array | None = None,
        boost: np.ndarray | None = None, min_score: float | None = None,
    ) -> "Masks":  # fmt: skip
        """Return the rules of as many rows as hidden has.

        Raises:
            ValueError: shapes disagree, a group is none of eligible's, or a boost is not finite.
        """
        eligible = np.atleast_2d(np.asarray(eligible, dtype=bool))
        group = np.zeros(hidden.shape[0], np.int32) if group is None else np.asarray(group)
        _check_groups(group, hidden.shape[0], len(eligible))
        if allowed is not None and allowed.shape != hidden.shape:
            raise ValueError(f"allowed must have shape {hidden.shape}, got {allowed.shape}")
        extra = np.empty(0, np.float32) if boost is None else _extra(boost, hidden.shape[1])
        return cls(
            _sorted(hidden), np.array(eligible), group.astype(np.int32),
            None if allowed is None else _sorted(allowed), extra, _floor(min_score),
        )  # fmt: skip

    @cached_property
    def listed(self) -> np.ndarray:
        """Items that somebody may be shown, shape (n_items,)."""
        return np.asarray(self.eligible.any(axis=0))

    @cached_property
    def columns(self) -> np.ndarray:
        """Items worth scoring, rising, int32."""
        if self.listed.mean() > _WORTH_GATHERING:
            return np.arange(len(self.listed), dtype=np.int32)
        return np.flatnonzero(self.listed).astype(np.int32)

    @cached_property
    def _needed(self) -> np.ndarray:
        every = self.eligible[:, self.columns].all()
        return np.empty((0, 0), dtype=bool) if every else self.eligible

    def of(self, rows: slice, added: Entries) -> Rules:
        """Return the rules of some rows, with what is to be added to their products."""
        allowed = self.allowed
        return Rules(
            hidden=entries(self.hidden, rows),
            allowed=nothing(rows.stop - rows.start) if allowed is None else entries(allowed, rows),
            added=added, eligible=self._needed, group=self.group[rows],
            extra=self.extra, floor=self.floor,
        )  # fmt: skip


def _check_groups(group: np.ndarray, n_rows: int, n_groups: int) -> None:
    if group.shape != (n_rows,):
        raise ValueError(f"group must have shape {(n_rows,)}, got {group.shape}")
    if len(group) and (group.min() < 0 or group.max() >= n_groups):
        raise ValueError(
            f"group must be between 0 and {n_groups - 1}, got {group.min()} to {group.max()}"
        )


def _sorted(X: Any) -> sp.csr_array:
    X = sp.csr_array(X)
    return X if X.has_sorted_indices else X.sorted_indices()


def _extra(boost: np.ndarray, n_items: int) -> np.ndarray:
    if boost.shape != (n_items,):
        raise ValueError(f"boost must have shape {(n_items,)}, got {boost.shape}")
    if not np.isfinite(boost).all():
        raise ValueError(f"boost must be finite, got {boost[~np.isfinite(boost)][0]}")
    return (np.asarray(boost, np.float32) - np.float32(1.0)).astype(np.float32)


def _floor(min_score: float | None) -> np.float32:
    """Return the lowest float32 that is not below the minimum."""
    if min_score is None:
        return np.float32(-np.inf)
    floor = np.float32(min_score)
    return floor if float(floor) >= min_score else np.nextafter(floor, np.float32(np.inf))
