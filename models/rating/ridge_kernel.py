"""Ridge regressions, one for every row of a sparse matrix, on the features of its columns."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from models.blas_thread import workers
from models.ranking.selection import compiled

_ROWS = 1024


def ridge_rows(
    R: sp.csr_array,
    H: Float[np.ndarray, "n_columns n_features"],
    ridge: Float[np.ndarray, " n_features"],
    per_entry: Float[np.ndarray, " n_features"] | None = None,
) -> Float[np.ndarray, "n_rows n_features"]:
    """Return the w of every row with the least Σ (r - w·h)² + Σ ridge w², float64.

    The sum is over stored entries; a row without any has w = 0. Rows do not depend on each other.

    Args:
        R: values r, shape (n_rows, n_columns).
        H: features h of the columns.
        ridge: weight of each feature's square.
        per_entry: weight besides, times the number of the row's entries.

    Raises:
        ArithmeticError: a row's equations have no solution, as the ridge is too small.
    """
    wide, values = np.ascontiguousarray(H, np.float64), R.data.astype(np.float64)
    more = np.zeros(len(ridge)) if per_entry is None else per_entry.astype(np.float64)
    out = np.zeros((R.shape[0], H.shape[1]))

    def solve(start: int) -> bool:
        rows = slice(start, start + _ROWS)
        pointers = R.indptr[start : start + _ROWS + 1]
        return _solve(pointers, R.indices, values, wide, ridge.astype(np.float64), more, out[rows])

    with workers() as pool:
        solved = list(pool.map(solve, range(0, R.shape[0], _ROWS)))
    if not all(solved):
        raise ArithmeticError("the equations of every row must have a solution: raise l2")
    return out


@compiled
def _solve(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, H: np.ndarray,
    ridge: np.ndarray, per_entry: np.ndarray, out: np.ndarray,
) -> bool:  # fmt: skip
    A = np.empty((H.shape[1], H.shape[1]))
    for row in range(len(out)):
        start, end = indptr[row], indptr[row + 1]
        weight = ridge + per_entry * (end - start)
        columns, r = indices[start:end], values[start:end]
        if len(r) < len(weight) and weight.min() > 0.0:
            solved = _by_entries(A[: len(r), : len(r)], columns, r, H, weight, out[row])
        else:
            solved = _by_features(A, columns, r, H, weight, out[row])
        if not solved:
            return False
    return True


@compiled
def _by_features(
    A: np.ndarray, columns: np.ndarray, r: np.ndarray, H: np.ndarray, weight: np.ndarray,
    w: np.ndarray,
) -> bool:  # fmt: skip
    """Solve (Hᵀ H + D) w = Hᵀ r; of a row without entries w stays 0."""
    if len(r) == 0:
        return True
    A[:] = np.diag(weight)
    for entry in range(len(r)):
        _add(A, w, H[columns[entry]], r[entry])
    return _solve_factored(A, w)


@compiled
def _by_entries(
    A: np.ndarray, columns: np.ndarray, r: np.ndarray, H: np.ndarray, weight: np.ndarray,
    w: np.ndarray,
) -> bool:  # fmt: skip
    """Solve (H D⁻¹ Hᵀ + I) a = r, then w = D⁻¹ Hᵀ a: the same, with fewer equations."""
    scale = 1.0 / np.sqrt(weight)
    G = np.empty((len(weight), len(r)))
    for entry in range(len(r)):
        G[:, entry] = scale * H[columns[entry]]
    A[:] = np.eye(len(r))
    a = r.copy()
    for f in range(len(G)):
        _add(A, a, G[f], 0.0)
    if not _solve_factored(A, a):
        return False
    for f in range(len(G)):
        for entry in range(len(a)):
            w[f] += scale[f] * G[f, entry] * a[entry]
    return True


@compiled
def _solve_factored(A: np.ndarray, w: np.ndarray) -> bool:
    """Solve A x = w in place, from what stands on the diagonal and above it; A is used up."""
    n = len(A)
    for j in range(n):  # A = Uᵀ U
        if not A[j, j] > 0.0:
            return False
        _eliminate(A, w, j)
    for j in range(n - 1, -1, -1):
        total = w[j]
        for i in range(j + 1, n):
            total -= A[j, i] * w[i]
        w[j] = total / A[j, j]
    return True


@compiled
def _add(A: np.ndarray, w: np.ndarray, h: np.ndarray, r: float) -> None:
    n = len(h)
    for f in range(n):
        w[f] += r * h[f]
        scaled, to = h[f], A[f]
        for g in range(f, n):
            to[g] += scaled * h[g]


@compiled
def _eliminate(A: np.ndarray, w: np.ndarray, j: int) -> None:
    n, pivot = len(A), A[j]
    length = np.sqrt(pivot[j])
    w[j] /= length
    for i in range(j, n):
        pivot[i] /= length
    for i in range(j + 1, n):
        scaled, to = pivot[i], A[i]
        w[i] -= scaled * w[j]
        for k in range(i, n):
            to[k] -= scaled * pivot[k]
