"""What is asked of items that a training does not hold: the validation of content models."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Int


class ItemQuestion(NamedTuple):
    """Users, what they are shown, what they are asked, and which items may answer."""

    fold_in: sp.csr_array  # (n_asked, n_items)
    target: sp.csr_array  # (n_asked, n_items), an item in every row
    eligible: Bool[np.ndarray, " n_items"]
    users: Int[np.ndarray, " n_asked"]  # their rows in X


def hold_out_items(
    X: sp.csr_array, items: Int[np.ndarray, " n_held_out"]
) -> tuple[sp.csr_array, ItemQuestion]:
    """Return X without the interactions of some items, and which of these users took.

    The width stays, so that an item keeps its index. Asked are users with an item on either
    side; only the held-out items may answer.

    Args:
        X: interaction weights, shape (n_users, n_items).
        items: held out.

    Raises:
        ValueError: nobody has items on both sides.
    """
    held_out = np.zeros(X.shape[1], dtype=bool)
    held_out[items] = True
    kept, target = _columns(X, ~held_out), _columns(X, held_out)
    users = np.flatnonzero((np.diff(kept.indptr) > 0) & (np.diff(target.indptr) > 0))
    if not len(users):
        raise ValueError(
            f"a user must have held-out items and others, got {held_out.sum()} of {X.shape[1]} "
            "items held out and no such user: hold out others"
        )
    return kept, ItemQuestion(kept[users], target[users], held_out, users)


def draw_items(
    X: sp.csr_array, *, share: float, seed: int, among: Bool[np.ndarray, " n_items"] | None = None
) -> Int[np.ndarray, " n_drawn"]:
    """Return items to hold out, drawn at random from those that somebody took; rising.

    Args:
        X: interaction weights, shape (n_users, n_items).
        share: of the candidates, rounded down, at least one.
        seed: which.
        among: candidates, such as the items with content; all by default.

    Raises:
        ValueError: share is not between 0 and 1, or there is no candidate.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"share must be between 0 and 1, got {share}")
    taken = np.bincount(X.indices, minlength=X.shape[1]) > 0
    candidates = np.flatnonzero(taken if among is None else taken & among)
    if not len(candidates):
        raise ValueError("an item must be there to be held out, got none that somebody took")
    n_drawn = max(1, int(share * len(candidates)))
    return np.sort(np.random.default_rng(seed).choice(candidates, n_drawn, replace=False))


def _columns(X: sp.csr_array, kept: np.ndarray) -> sp.csr_array:
    mask = kept[X.indices]
    user = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[mask]
    indptr = np.concatenate(([0], np.cumsum(np.bincount(user, minlength=X.shape[0]))))
    return sp.csr_array(
        (X.data[mask], X.indices[mask], indptr.astype(X.indptr.dtype)), shape=X.shape
    )
