"""The product of sparse rows with a sparse matrix, for rows that come out nearly full."""

import numpy as np
import scipy.sparse as sp

from models.ranking.selection import compiled

_WORTH_FILLING = 0.05  # multiplications per entry of the result, from which full rows are cheaper
_ROWS = 256  # full rows held at once


def sparse_product(X: sp.csr_array, M: sp.csr_array) -> sp.csr_array:
    """Return X M with sorted indices; sums are made in the order of X's entries.

    scipy's product takes time to keep and sort the entries of a row; where rows of the result
    are not very sparse they are filled in full instead, to the same bits.

    Args:
        X: shape (n_rows, n_middle), float32, sorted indices.
        M: shape (n_middle, n_columns), float32, sorted indices.
    """
    n_terms = int(np.diff(M.indptr)[X.indices].sum())
    if n_terms <= _WORTH_FILLING * X.shape[0] * M.shape[1]:
        product = sp.csr_array(X @ M)
        product.sort_indices()
        return product
    blocks = [_filled(X[start : start + _ROWS], M) for start in range(0, X.shape[0], _ROWS)]
    return blocks[0] if len(blocks) == 1 else sp.csr_array(sp.vstack(blocks, format="csr"))


def _filled(X: sp.csr_array, M: sp.csr_array) -> sp.csr_array:
    full = np.zeros((X.shape[0], M.shape[1]), dtype=np.float32)
    _add(X.indptr, X.indices, X.data, M.indptr, M.indices, M.data, full)
    return sp.csr_array(full)


@compiled
def _add(
    X_indptr: np.ndarray, X_indices: np.ndarray, X_data: np.ndarray,
    M_indptr: np.ndarray, M_indices: np.ndarray, M_data: np.ndarray, full: np.ndarray,
) -> None:  # fmt: skip
    for row in range(len(full)):
        out = full[row]
        for entry in range(X_indptr[row], X_indptr[row + 1]):
            middle, x = X_indices[entry], X_data[entry]
            for k in range(M_indptr[middle], M_indptr[middle + 1]):
                out[M_indices[k]] += x * M_data[k]
