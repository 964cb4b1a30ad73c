"""Compiled loops of ELSA's step on the CPU; they release the interpreter lock."""

from collections.abc import Callable
from inspect import unwrap
from typing import TypeVar

import numpy as np
from numba import njit

from models.elsa.nadam import BETA1, BETA2, EPSILON

_Loop = TypeVar("_Loop", bound=Callable[..., None])
_REORDER = {"contract", "reassoc", "nsz"}  # sums may be vectorised; nan and inf keep their meaning
_ONE, _ZERO = np.float32(1.0), np.float32(0.0)
_BETA1, _BETA2 = np.float32(BETA1), np.float32(BETA2)
_REST1, _REST2, _EPSILON = np.float32(1.0 - BETA1), np.float32(1.0 - BETA2), np.float32(EPSILON)
_NORM_FLOOR = np.float32(1e-12)


def compiled(loop: _Loop) -> _Loop:
    """Return the loop in machine code, kept on disk where the package may be written."""
    bare = unwrap(loop)  # tests wrap functions to check shapes, and wrappers cannot be compiled
    return njit(bare, nogil=True, error_model="numpy", fastmath=_REORDER, cache=True)


@compiled
def gather(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, A: np.ndarray, H: np.ndarray
) -> None:
    """Write X A into H for the CSR rows that indptr delimits; H has shape (rows, n_factors)."""
    n_factors = A.shape[1]
    for row in range(H.shape[0]):
        h = H[row]
        h[:] = _ZERO
        for k in range(indptr[row], indptr[row + 1]):
            x, a = data[k], A[indices[k]]
            for f in range(n_factors):
                h[f] += x * a[f]


@compiled
def descend(
    indptr: np.ndarray,
    rows: np.ndarray,
    data: np.ndarray,
    dH: np.ndarray,
    dA: np.ndarray,
    A: np.ndarray,
    norm: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    gradient: np.float32,
    momentum: np.float32,
    variance: np.float32,
) -> None:
    """Add Xᵀ dH to dA, take it through the normalisation, and make NAdam's step, row by row.

    Args:
        indptr: where each item's entries of Xᵀ begin, shape (n_items + 1,).
        rows: row of X of every entry.
        data: its value.
        dH: derivative by the rows' factors, shape (batch, n_factors).
        dA: the dense part of the derivative by A, shape (n_items, n_factors); overwritten.
        A: unit rows; replaced.
        norm: their lengths, W = norm A, shape (n_items,); replaced.
        m: first moment; replaced.
        v: second moment; replaced.
        gradient: coefficient of the gradient.
        momentum: coefficient of the first moment.
        variance: correction of the second moment.
    """
    n_items, n_factors = A.shape
    for item in range(n_items):
        a, g, first, second = A[item], dA[item], m[item], v[item]
        for k in range(indptr[item], indptr[item + 1]):
            x, d = data[k], dH[rows[k]]
            for f in range(n_factors):
                g[f] += x * d[f]
        radial = _ZERO
        for f in range(n_factors):
            radial += g[f] * a[f]
        length = norm[item]
        shrink = _ONE / length
        squares = _ZERO
        for f in range(n_factors):
            slope = (g[f] - radial * a[f]) * shrink
            first[f] = _BETA1 * first[f] + _REST1 * slope
            second[f] = _BETA2 * second[f] + _REST2 * slope * slope
            step = (gradient * slope + momentum * first[f]) / (
                np.sqrt(second[f] * variance) + _EPSILON
            )
            w = length * a[f] - step
            a[f] = w
            squares += w * w
        length = max(np.sqrt(squares), _NORM_FLOOR)
        norm[item] = length
        shrink = _ONE / length
        for f in range(n_factors):
            a[f] *= shrink
