"""SANSA: EASE for large catalogues, as a product of two sparse matrices of a chosen size."""

from typing import Literal

import numpy as np
import scipy.sparse as sp

from models.item_item.approximate_inverse import minimal_residual_inverse
from models.item_item.cholesky_factor import cholmod_factor, dense_factor
from models.item_item.ease import check_l2
from models.item_item.gram import Rows, row_shards
from models.item_item.incomplete_cholesky import Factor, gram_norms, incomplete_cholesky
from models.item_item.item_item import SparseItemItem

Factorizer = Literal["icf", "cholmod", "dense"]


def fit_sansa(
    X: Rows,
    *,
    l2: float,
    density: float,
    n_scans: int = 4,
    n_finetune_steps: int = 2,
    factorizer: Factorizer = "icf",
) -> SparseItemItem:
    """Return SANSA: two sparse factors whose product is about EASE's B minus the identity.

    "icf" works on items scaled by the length of their Gram column, ``x_j / sqrt(|G_j|)``, and
    does not undo it: at density 1 it is EASE of the scaled data, where popular items count less
    and l2 is that much smaller. The other two factorise XᵀX + l2 I itself; they need the memory
    of a full triangle, "dense" because it is one, "cholmod" where it fills up.

    Reference: Spišák et al., RecSys 2023, doi:10.1145/3604915.3608827.

    Args:
        X: interaction weights, shape (n_users, n_items), or row shards of them.
        l2: ridge weight, of the scaled data for "icf".
        density: nonzeros of each factor over n_items², in (0, 1]; at least 2 / n_items is taken.
        n_scans: passes of the approximate inverse; three or more.
        n_finetune_steps: passes over its worst columns.
        factorizer: incomplete in compiled loops, sparse by SuiteSparse, or dense by LAPACK.

    Raises:
        ValueError: l2 is not positive, density not in (0, 1], or a weight is not finite.
        ImportError: "cholmod" without scikit-sparse.
        ArithmeticError: a pivot is not positive: l2 is too small.
    """
    check_l2(l2)
    if not 0.0 < density <= 1.0:
        raise ValueError(f"density must be above 0 and at most 1, got {density}")
    rows = _stacked(X)
    factor = _factor(rows, l2, max(density, 2.0 / rows.shape[1]), factorizer)
    budget = int(np.ceil(max(density * rows.shape[1], 2.0) * rows.shape[1]))
    K = minimal_residual_inverse(
        factor.L, budget=budget, n_scans=n_scans, n_finetune_steps=n_finetune_steps
    )
    return joined_weights(factor, K)


def scaled_items(X: sp.csr_array, lengths: np.ndarray) -> sp.csr_array:
    """Return X with item j divided by the root of the length of its Gram column.

    Args:
        X: shape (n_users, n_items).
        lengths: of the columns of XᵀX, shape (n_items,); 0 divides by 1.
    """
    scale = 1.0 / np.sqrt(np.where(lengths > 0.0, lengths, 1.0))
    return sp.csr_array((X.data * scale[X.indices], X.indices, X.indptr), shape=X.shape)


def _stacked(X: Rows) -> sp.csr_array:
    shards = row_shards(X)
    return shards[0] if len(shards) == 1 else sp.csr_array(sp.vstack(shards, format="csr"))


def _factor(X: sp.csr_array, l2: float, density: float, factorizer: Factorizer) -> Factor:
    if factorizer == "cholmod":
        return cholmod_factor(X, l2=l2, density=density)
    lengths, degrees = gram_norms(X)
    order = np.argsort(degrees, kind="stable")  # items with few neighbours first: little fill
    if factorizer == "dense":
        return dense_factor(X, l2=l2, density=density, order=order)
    return incomplete_cholesky(scaled_items(X, lengths), l2=l2, density=density, order=order)


def joined_weights(factor: Factor, K: sp.csc_array) -> SparseItemItem:
    """Return Wᵀ and Z: W is K with its columns in item order, ``(Wᵀ Z)_jj = -1``.

    Args:
        factor: of XᵀX + l2 I.
        K: about the inverse of the factor's L.
    """
    n_items = K.shape[0]
    W = sp.csc_array(K[:, np.argsort(factor.order)])
    item = np.repeat(np.arange(n_items), np.diff(W.indptr))
    weighted = W.data / factor.d[W.indices]  # D^-1 W
    P_jj = np.bincount(item, weights=W.data * weighted, minlength=n_items)
    Z = sp.csc_array((-weighted / P_jj[item], W.indices, W.indptr), shape=W.shape)
    left = sp.csr_array(W.T.astype(np.float32))
    right = sp.csr_array(Z.astype(np.float32))
    for part in (left, right):
        part.sort_indices()
    return SparseItemItem(left, right)
