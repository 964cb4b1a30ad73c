"""Fold-in split of users: part of a row is shown, the rest is asked for."""

import numpy as np
import scipy.sparse as sp


def fold_in_split(
    X: sp.csr_array, *, target_share: float, seed: int
) -> tuple[sp.csr_array, sp.csr_array]:
    """Return what is shown of every row and what is asked.

    Reference: Liang et al., WWW 2018, arXiv:1802.05814 (strong generalisation).

    Args:
        X: weights, shape (n_users, n_items).
        target_share: share of a row's items that is asked, rounded down, at least one.
        seed: which items are drawn.

    Returns:
        Fold-in and target, both of the shape of X; a row with fewer than two items has no target.

    Raises:
        ValueError: target_share is not between 0 and 1.
    """
    if not 0.0 < target_share < 1.0:
        raise ValueError(f"target_share must be between 0 and 1, got {target_share}")
    n_per_row = np.diff(X.indptr)
    n_targets = np.where(n_per_row > 1, np.maximum(1, (target_share * n_per_row).astype(int)), 0)
    users = np.repeat(np.arange(X.shape[0]), n_per_row)
    draw = np.random.default_rng(seed).random(X.nnz)
    order = np.lexsort((draw, users))
    place = np.empty(X.nnz, dtype=np.int64)
    place[order] = np.arange(X.nnz) - X.indptr[users]
    is_target = place < n_targets[users]
    return _kept(X, ~is_target, users), _kept(X, is_target, users)


def _kept(X: sp.csr_array, mask: np.ndarray, users: np.ndarray) -> sp.csr_array:
    counts = np.bincount(users[mask], minlength=X.shape[0])
    indptr = np.concatenate(([0], np.cumsum(counts))).astype(X.indptr.dtype)
    return sp.csr_array((X.data[mask], X.indices[mask], indptr), shape=X.shape)


def last_items_split(X: sp.csr_array, *, target_share: float) -> tuple[sp.csr_array, sp.csr_array]:
    """Return the earlier items of every row, shown, and the last ones, asked.

    Args:
        X: places in the order of a row, growing with time, shape (n_users, n_items).
        target_share: share of a row's items that is asked, rounded down, at least one.

    Returns:
        As fold_in_split.

    Raises:
        ValueError: target_share is not between 0 and 1.
    """
    if not 0.0 < target_share < 1.0:
        raise ValueError(f"target_share must be between 0 and 1, got {target_share}")
    n_per_row = np.diff(X.indptr)
    n_targets = np.where(n_per_row > 1, np.maximum(1, (target_share * n_per_row).astype(int)), 0)
    users = np.repeat(np.arange(X.shape[0]), n_per_row)
    order = np.lexsort((X.data, users))
    place = np.empty(X.nnz, dtype=np.int64)
    place[order] = np.arange(X.nnz) - X.indptr[users]
    is_target = place >= (n_per_row - n_targets)[users]
    return _kept(X, ~is_target, users), _kept(X, is_target, users)


def ratings_split(
    R: sp.csr_array, *, target_share: float, seed: int
) -> tuple[sp.csr_array, sp.csr_array]:
    """Return all ratings but some, and those; a row and a column keep one of theirs at least.

    So nobody is asked a rating of a user or an item that nothing else is known of.

    Args:
        R: ratings, every stored entry is one, shape (n_users, n_items).
        target_share: share of the ratings that is asked, at most.
        seed: which ones are drawn.

    Returns:
        Two matrices of the shape of R.

    Raises:
        ValueError: target_share is not between 0 and 1.
    """
    if not 0.0 < target_share < 1.0:
        raise ValueError(f"target_share must be between 0 and 1, got {target_share}")
    users = np.repeat(np.arange(R.shape[0]), np.diff(R.indptr))
    order = np.random.default_rng(seed).permutation(R.nnz)
    is_kept = np.zeros(R.nnz, bool)
    for group in (users, R.indices):
        _, first = np.unique(group[order], return_index=True)  # of its group, in drawn order
        is_kept[order[first]] = True
    drawn = order[~is_kept[order]][: int(target_share * R.nnz)]
    is_target = np.zeros(R.nnz, bool)
    is_target[drawn] = True
    return _kept(R, ~is_target, users), _kept(R, is_target, users)
