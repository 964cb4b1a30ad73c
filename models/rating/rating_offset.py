"""What is taken off ratings before a model learns: nothing, a mean, or biases."""

from typing import Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float

from models.item_rows import over_items

Centre = Literal["none", "mean", "bias"]
_N_PASSES = 10


class RatingOffset(NamedTuple):
    """Offset of a rating: mean + user + item, the user's from the row alone."""

    mean: float
    item: Float[np.ndarray, " n_items"]  # float32
    user_l2: float  # weight of a zero in a user's mean; inf: users have no offset

    def of_users(self, R: sp.csr_array) -> Float[np.ndarray, " n_rows"]:
        """Return every row's own offset, float64; 0 for an empty row."""
        if np.isinf(self.user_l2):
            return np.zeros(R.shape[0])
        return _shrunken(_row_of(R), self._without_user(R), R.shape[0], self.user_l2)

    def removed(self, R: sp.csr_array) -> sp.csr_array:
        """Return the ratings less their offsets, every one stored; R is left unchanged."""
        user = np.repeat(self.of_users(R), np.diff(R.indptr))
        left = self._without_user(R) - user
        return sp.csr_array((left.astype(np.float32), R.indices, R.indptr), shape=R.shape)

    def _without_user(self, R: sp.csr_array) -> np.ndarray:
        item = self.item.astype(np.float64)[R.indices]
        return R.data.astype(np.float64) - self.mean - item

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "RatingOffset":
        """Return the offsets over at least as many items; others have none."""
        return self._replace(item=over_items(self.item, known))


def rating_offset(
    R: sp.csr_array, *, centre: Centre, user_l2: float = 5.0, item_l2: float = 5.0
) -> RatingOffset:
    """Return the offsets of some ratings.

    With ``centre="bias"`` users and items take turns, each the mean of what the others leave,
    as if there were l2 more ratings without any. Reference: Koren, KDD 2008, section 2.1.

    Args:
        R: ratings, shape (n_users, n_items), at least one.
        centre: "none", "mean" (of all ratings) or "bias" (mean, users and items).
        user_l2: shrinks users' offsets.
        item_l2: shrinks items'.
    """
    item = np.zeros(R.shape[1])
    if centre == "none":
        return RatingOffset(0.0, item.astype(np.float32), np.inf)
    mean = float(R.data.mean(dtype=np.float64))
    if centre == "mean":
        return RatingOffset(mean, item.astype(np.float32), np.inf)
    row, left = _row_of(R), R.data.astype(np.float64) - mean
    for _ in range(_N_PASSES):
        user = _shrunken(row, left - item[R.indices], R.shape[0], user_l2)
        item = _shrunken(R.indices, left - user[row], R.shape[1], item_l2)
    return RatingOffset(mean, item.astype(np.float32), user_l2)


def _row_of(R: sp.csr_array) -> np.ndarray:
    return np.repeat(np.arange(R.shape[0]), np.diff(R.indptr))


def _shrunken(group: np.ndarray, values: np.ndarray, n_groups: int, l2: float) -> np.ndarray:
    total = np.bincount(group, values, n_groups)
    return np.asarray(total / np.maximum(np.bincount(group, minlength=n_groups) + l2, 1e-12))
