"""Cholesky factors of XᵀX + l2 I, cut to their largest entries: by LAPACK and by SuiteSparse."""

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dpotrf

from models.item_item.gram import upper_gram
from models.item_item.incomplete_cholesky import Factor

_MOST_ITEMS = 30_000


def dense_factor(X: sp.csr_array, *, l2: float, density: float, order: np.ndarray) -> Factor:
    """Return the factor that LAPACK finds; it takes up to 20 n_items² bytes.

    Args:
        X: shape (n_users, n_items), sorted indices, finite.
        l2: what is added to the diagonal.
        density: nonzeros that are kept, over n_items².
        order: place in the factor -> item.

    Raises:
        ValueError: there are more items than LAPACK was found to be safe with.
        ArithmeticError: a pivot is not positive.
    """
    if X.shape[1] > _MOST_ITEMS:
        raise ValueError(
            f"factorizer dense must have at most {_MOST_ITEMS} items, got {X.shape[1]}: use icf"
        )
    permuted = sp.csr_array(X[:, order])
    permuted.sort_indices()
    G = upper_gram([permuted], np.float64)
    G.flat[:: len(G) + 1] += l2
    L, failed = dpotrf(G.T, lower=1, clean=1, overwrite_a=1)
    if failed:
        raise ArithmeticError("pivots must be positive, got one that is not: raise l2")
    return unit_factor(largest_entries(sp.csc_array(L), _budget(density, len(L))), order)


def cholmod_factor(X: sp.csr_array, *, l2: float, density: float) -> Factor:
    """Return the factor that CHOLMOD finds in its own order; it needs the exact factor's memory.

    Args:
        X: shape (n_users, n_items), finite.
        l2: what is added to the diagonal.
        density: nonzeros that are kept, over n_items².

    Raises:
        ImportError: scikit-sparse is not installed.
        ArithmeticError: a pivot is not positive.
    """
    try:
        from sksparse.cholmod import CholmodNotPositiveDefiniteError, cholesky_AAt
    except ImportError as error:
        raise ImportError(
            "factorizer cholmod needs scikit-sparse, which is built from source: install "
            "libsuitesparse-dev, then hoarfrost[cholmod], or choose icf or dense"
        ) from error
    try:
        factor = cholesky_AAt(
            sp.csc_matrix(X.T.astype(np.float64)), beta=l2, mode="supernodal",
            ordering_method="colamd",
        )  # fmt: skip
    except CholmodNotPositiveDefiniteError as error:
        raise ArithmeticError("pivots must be positive, got one that is not: raise l2") from error
    L = largest_entries(sp.csc_array(factor.L()), _budget(density, X.shape[1]))
    return unit_factor(L, np.asarray(factor.P(), dtype=np.int64))


def unit_factor(L: sp.csc_array, order: np.ndarray) -> Factor:
    """Return a Cholesky factor as a unit factor and pivots.

    Args:
        L: lower triangular with all of its diagonal, shape (n_items, n_items).
        order: place in the factor -> item.
    """
    L.sort_indices()
    diagonal = L.diagonal()
    column = np.repeat(np.arange(L.shape[1]), np.diff(L.indptr))
    values = (L.data / diagonal[column]).astype(np.float32)
    unit = sp.csc_array((values, L.indices, L.indptr), shape=L.shape)
    return Factor(unit, diagonal.astype(np.float64) ** 2, order)


def largest_entries(L: sp.csc_array, budget: int) -> sp.csc_array:
    """Return the largest entries of L, and all of its diagonal.

    Args:
        L: lower triangular.
        budget: how many, the diagonal included.
    """
    L.sort_indices()
    off = np.ones(L.nnz, dtype=bool)
    off[L.indptr[:-1]] = False  # the diagonal comes first
    n_off = max(budget - L.shape[0], 0)
    if n_off >= np.sum(off):
        return L
    size = np.where(off, np.abs(L.data), np.inf)
    n_dropped = L.nnz - L.shape[0] - n_off
    bar = np.partition(size, n_dropped)[n_dropped]
    kept = size >= bar
    column = np.repeat(np.arange(L.shape[1]), np.diff(L.indptr))
    return sp.csc_array(
        sp.coo_array((L.data[kept], (L.indices[kept], column[kept])), shape=L.shape)
    )


def _budget(density: float, n_items: int) -> int:
    return int(np.ceil(density * n_items**2))
