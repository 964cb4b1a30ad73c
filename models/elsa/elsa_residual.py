"""What ELSA's low rank leaves out: sparse weights among neighbours, by ridge regression."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import scipy.sparse as sp

from models.blas_thread import workers
from models.elsa.elsa import ELSA, Validation
from models.elsa.elsa_residual_kernel import Columns, LowRank, add_gram_product, regress
from models.elsa.tempering import popularity_power
from models.item_item.item_knn import fit_item_knn
from models.metric.metric import evaluate

_FACTORS = 32  # of the products that a thread adds up at once
_MOST_SLICES, _LEAST_ITEMS = 64, 128
_SHRINK = 1.0  # dropout / (1 - dropout), half of a history dropped
_LEAST = 1e-9  # scale of a low rank that says nothing of X


def with_residual(
    model: ELSA,
    X: sp.csr_array,
    *,
    n_neighbours: int,
    l2: Sequence[float],
    validation: Validation | None = None,
) -> ELSA:
    """Return the model with weights W of items for their neighbours beside its factors.

    Let P be the scores of the factors and c the number that brings them nearest to X. Column w
    of c W for item j minimises ``|x_j - c p_j - X w|² + Σ_i (l2 m + |x_i|²) w_i²`` over the items
    i whose columns have the largest cosines with x_j; m is the mean square of the weights in X,
    so that l2 counts users whatever a weight is.

    Reference: the regression of SLIM (Ning and Karypis, ICDM 2011) among neighbours only, with
    the ridge of EDLAE at dropout .5 (Steck, NeurIPS 2020), on what a low rank leaves.

    Args:
        model: fitted on X.
        X: interaction weights, shape (n_users, n_items), at least one entry.
        n_neighbours: most entries of a column of W.
        l2: ridge weights, in users, at least one.
        validation: fold-in and target of held-out users, both (n_held_out, n_items). Of several
            ridge weights the one with the best nDCG@100 counts if it is better than the first by
            more than a standard error of their users' differences, else the first.

    Returns:
        The model with W float32, sorted indices, and its l2; no bit depends on the number of
        cores, nor W on the other ridge weights.
    """
    X = X if X.has_canonical_format else _summed(X)
    l2 = l2 if validation is not None else l2[:1]
    candidates = [
        replace(model, W=W, l2=each)
        for W, each in zip(_regressed(model, X, n_neighbours, l2), l2, strict=True)
    ]
    if validation is None or len(candidates) == 1:
        return candidates[0]
    (fold_in, target), known = validation, np.bincount(X.indices, minlength=X.shape[1]) > 0
    judged = partial(evaluate, fold_in=fold_in, target=target, eligible=known)
    figures = np.stack([judged(each)["ndcg@100"] for each in candidates])
    best = int(figures.mean(axis=1).argmax())
    gain = figures[best] - figures[0]
    return candidates[best if gain.mean() > gain.std() / np.sqrt(len(gain)) else 0]


def _regressed(
    model: ELSA, X: sp.csr_array, n_neighbours: int, l2: Sequence[float]
) -> list[sp.csr_array]:
    counts = np.ones(X.shape[1]) if model.counts is None else model.counts
    read, told = popularity_power(counts, -model.alpha), popularity_power(counts, model.beta)
    Xt = X.T.tocsr()
    near = fit_item_knn(X, n_neighbours=n_neighbours).left  # row j: the neighbours of item j
    low_rank = LowRank(_gram_product(X, read, model.A), model.A, read, told)
    squares = np.bincount(X.indices, np.square(X.data, dtype=np.float64), minlength=X.shape[1])
    weights = np.zeros((len(l2), near.nnz), dtype=np.float32)
    ridges = np.array(l2) * (squares.sum() / X.nnz)
    solve = partial(
        regress, Columns(Xt.indptr, Xt.indices, Xt.data), X.shape[0], near.indptr, near.indices,
        low_rank, _scale(low_rank, squares), ridges, _SHRINK, weights,
    )  # fmt: skip
    n_slices = int(np.clip(X.shape[1] // _LEAST_ITEMS, 1, _MOST_SLICES))
    edges = np.linspace(0, X.shape[1], n_slices + 1).astype(int)
    with workers() as pool:
        list(pool.map(solve, edges[:-1], edges[1:]))
    return [_turned(near, each) for each in weights]


def _turned(near: sp.csr_array, weights: np.ndarray) -> sp.csr_array:
    W = sp.csr_array((weights, near.indices, near.indptr), shape=near.shape).T.tocsr()
    W.eliminate_zeros()
    return W


def _gram_product(X: sp.csr_array, read: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Return Xᵀ (X diag(read) A), without the factors of all users at once."""
    product = np.empty_like(A)

    def add(first: int) -> None:
        factors = slice(first, first + _FACTORS)
        part = np.ascontiguousarray(A[:, factors])
        total = np.zeros_like(part)
        add_gram_product(X.indptr, X.indices, X.data, read, part, total)
        product[:, factors] = total

    with workers() as pool:
        list(pool.map(add, range(0, A.shape[1], _FACTORS)))
    return product


def _scale(low_rank: LowRank, squares: np.ndarray) -> float:
    """Return the c of the least |X - c P|²: X·P / P·P, both without P itself.

    Args:
        low_rank: what makes P.
        squares: x_j·x_j of every item.
    """
    XtH, A, read, told = low_rank
    with workers():  # sums of one order
        pulled = np.einsum("ij,ij->i", A, XtH, dtype=np.float64)
        spread = np.einsum("ij,ij->i", A @ (A.T @ (read[:, None] * XtH)), A, dtype=np.float64)
    own = read.astype(np.float64) * squares
    along = (told * (pulled - own)).sum()
    size = (told.astype(np.float64) ** 2 * (spread - 2.0 * read * pulled + read * own)).sum()
    return max(float(along / size), _LEAST) if size > 0.0 else _LEAST


def _summed(X: sp.csr_array) -> sp.csr_array:
    X = X.copy()
    X.sum_duplicates()
    return X
