"""Compiled loops over factors that keep k entries a row: columns (n_items, k), rising, and values.

They release the interpreter lock; every number is summed in an order that depends on no thread.
"""

import numpy as np

from models.elsa.elsa_kernel import compiled

_ZERO = np.float32(0.0)


@compiled
def gather_sparse(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray,
    columns: np.ndarray, values: np.ndarray, H: np.ndarray,
) -> None:  # fmt: skip
    """Write X A into H for the CSR rows that indptr delimits; H has shape (rows, n_factors)."""
    k = columns.shape[1]
    for row in range(H.shape[0]):
        h = H[row]
        h[:] = _ZERO
        for entry in range(indptr[row], indptr[row + 1]):
            x, factor, value = data[entry], columns[indices[entry]], values[indices[entry]]
            for p in range(k):
                h[factor[p]] += x * value[p]


@compiled
def gram_rows(
    indptr: np.ndarray, places: np.ndarray, columns: np.ndarray, values: np.ndarray,
    first: int, G: np.ndarray,
) -> None:  # fmt: skip
    """Write rows of AᵀA into G, from the first one.

    Args:
        indptr: where each factor's entries begin, shape (n_factors + 1,).
        places: item k + p of every entry, factor by factor.
        columns: factors of every item, shape (n_items, k).
        values: theirs.
        first: factor of the first row of G.
        G: shape (rows, n_factors).
    """
    k = columns.shape[1]
    for row in range(G.shape[0]):
        g = G[row]
        g[:] = _ZERO
        for entry in range(indptr[first + row], indptr[first + row + 1]):
            item, own = places[entry] // k, places[entry] % k
            a, factor, value = values[item, own], columns[item], values[item]
            for p in range(k):
                g[factor[p]] += a * value[p]


@compiled
def pull_of_rows(
    indptr: np.ndarray, rows: np.ndarray, data: np.ndarray, dH: np.ndarray,
    columns: np.ndarray, dA: np.ndarray,
) -> None:  # fmt: skip
    """Write Xᵀ dH at the entries that are kept.

    Args:
        indptr: where each item's entries of Xᵀ begin, shape (n_items + 1,).
        rows: row of X of every entry.
        data: its value.
        dH: derivative by the rows' factors, shape (batch, n_factors).
        columns: factors of every item, shape (n_items, k).
        dA: shape (n_items, k).
    """
    n_items, k = columns.shape
    for item in range(n_items):
        factor, slope = columns[item], dA[item]
        slope[:] = _ZERO
        for entry in range(indptr[item], indptr[item + 1]):
            x, d = data[entry], dH[rows[entry]]
            for p in range(k):
                slope[p] += x * d[factor[p]]


@compiled
def add_gram_slope(dG: np.ndarray, columns: np.ndarray, values: np.ndarray, dA: np.ndarray) -> None:
    """Add A dG at the entries that are kept.

    Args:
        dG: shape (n_factors, n_factors), symmetric.
        columns: factors of every item, shape (n_items, k).
        values: theirs.
        dA: shape (n_items, k).
    """
    n_items, k = columns.shape
    for item in range(n_items):
        factor, value, slope = columns[item], values[item], dA[item]
        for other in range(k):
            a, d = value[other], dG[factor[other]]
            for p in range(k):
                slope[p] += a * d[factor[p]]
