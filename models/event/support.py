"""Minimum support: what too few have met, and who has met too little, teaches a model nothing."""

import numpy as np
import scipy.sparse as sp


def with_support(
    X: sp.csr_array, *, min_users_per_item: int = 1, min_items_per_user: int = 1
) -> sp.csr_array:
    """Return the rows to learn from; columns stay, those of rare items empty.

    First items with too few users lose their entries, then users with too few entries left
    lose their rows. Once each: an item may end up with fewer users than asked.

    Args:
        X: weights, shape (n_users, n_items), without stored zeros; left unchanged.
        min_users_per_item: fewest users of an item.
        min_items_per_user: fewest items of a user.

    Returns:
        Shape (at most n_users, n_items); X itself where nothing is asked.
    """
    if min_users_per_item > 1:
        common = np.bincount(X.indices, minlength=X.shape[1]) >= min_users_per_item
        kept = common[X.indices]
        indptr = np.concatenate(([0], np.cumsum(kept)))[X.indptr].astype(X.indptr.dtype)
        X = sp.csr_array((X.data[kept], X.indices[kept], indptr), shape=X.shape)
    if min_items_per_user > 1:
        X = X[np.flatnonzero(np.diff(X.indptr) >= min_items_per_user)]
    return X
