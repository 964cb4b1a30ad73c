"""ELSA's exact step on factors that keep k entries a row: memory and updates follow k.

While k is still near the width, A is unpacked for the two largest products of a step: that is
faster than picking entries, and no larger than the dense training that went before.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from models.blas_thread import workers
from models.elsa.compressed_elsa_kernel import (
    add_gram_slope,
    gather_sparse,
    gram_rows,
    pull_of_rows,
)
from models.elsa.elsa_exact import derivatives
from models.elsa.elsa_kernel import descend
from models.elsa.nadam import Schedule

_PIECES, _ROW_PIECES = 16, 4  # a piece of rows holds an array n_factors x n_factors
_SPARSE_COST = 3  # of an operation on entries, squared: dense products do ten in its time
_FLOOR = float(np.finfo(np.float32).eps)


class Kept(NamedTuple):
    """Rows of A that keep k of their entries."""

    columns: Int[np.ndarray, "n_items k"]  # int32, rising
    values: Float[np.ndarray, "n_items k"]  # float32, unit rows

    def unpacked(self, n_factors: int) -> Float[np.ndarray, "n_items n_factors"]:
        """Return A with its zeros."""
        A = np.zeros((len(self.columns), n_factors), np.float32)
        np.put_along_axis(A, self.columns.astype(np.int64), self.values, axis=1)
        return A

    def csr(self, n_factors: int) -> sp.csr_array:
        """Return A, shape (n_items, n_factors), without entries that are zero."""
        n_items, k = self.columns.shape
        index = np.int32 if n_items * k < 2**31 else np.int64
        indptr = np.arange(n_items + 1, dtype=index) * index(k)
        parts = self.values.flatten(), self.columns.flatten().astype(index), indptr
        A = sp.csr_array(parts, shape=(n_items, n_factors))
        A.eliminate_zeros()
        return A


class KeptEngine:
    """Runs epochs of the exact linear form; which entries are kept does not change."""

    def __init__(self, X: sp.csr_array, kept: Kept, n_factors: int) -> None:
        """Take rows with at least one item each, float32, and where to start.

        Args:
            X: shape (n_users, n_items).
            kept: replaced by the epochs, in place.
            n_factors: width of A.
        """
        self.X, self.kept, self._n_factors = X, kept, n_factors
        flat = kept.columns.ravel()
        self._places = np.argsort(flat, kind="stable")
        self._starts = np.concatenate(([0], np.cumsum(np.bincount(flat, minlength=n_factors))))
        self._norm = np.ones(len(kept.values), np.float32)
        self._moments = np.zeros_like(kept.values), np.zeros_like(kept.values)
        self._schedule = Schedule()
        self._unpacks = _SPARSE_COST * kept.columns.shape[1] > n_factors

    def run_epoch(
        self, order: Int[np.ndarray, " n_users"], *, batch_size: int, learning_rate: float
    ) -> Float[np.ndarray, " n_steps"]:
        """Visit the rows in an order; return the loss of every batch."""
        losses = []
        with workers() as pool:
            for first in range(0, len(order), batch_size):
                X = self.X[order[first : first + batch_size]]
                losses.append(self._step(pool, X, learning_rate))
        return np.array(losses)

    def _step(self, pool: ThreadPoolExecutor, X: sp.csr_array, learning_rate: float) -> float:
        A = self.kept.unpacked(self._n_factors) if self._unpacks else None
        G = np.empty((self._n_factors, self._n_factors), np.float32)
        list(pool.map(partial(self._gram, A, G), _pieces(self._n_factors)))
        rows = partial(self._rows, X, G)
        losses, dH, dG = zip(*pool.map(rows, _pieces(X.shape[0], _ROW_PIECES)), strict=True)
        self._schedule, coefficients = self._schedule.advance(learning_rate)
        factors = tuple(np.float32(each) for each in coefficients)
        sweep = partial(
            self._sweep, A, X.T.tocsr(), np.concatenate(dH), 2.0 * np.asarray(sum(dG)), factors
        )
        list(pool.map(sweep, _pieces(X.shape[1])))
        return float(np.concatenate(losses).mean())

    def _gram(self, A: np.ndarray | None, G: np.ndarray, factors: slice) -> None:
        if A is not None:
            np.matmul(A[:, factors].T, A, out=G[factors])
            return
        gram_rows(self._starts, self._places, *self.kept, factors.start, G[factors])

    def _rows(
        self, X: sp.csr_array, G: np.ndarray, rows: slice
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        H = np.empty((rows.stop - rows.start, self._n_factors), np.float32)
        indptr = X.indptr[rows.start : rows.stop + 1]
        gather_sparse(indptr, X.indices, X.data, *self.kept, H)
        values = X.data[indptr[0] : indptr[-1]]
        squares = np.add.reduceat(values * values, indptr[:-1] - indptr[0])
        weight = np.ones(len(H), np.float32)
        return derivatives(H, G, squares, weight, scale=1.0 / X.shape[0], floor=_FLOOR)

    def _sweep(
        self, A: np.ndarray | None, Xt: sp.csr_array, dH: np.ndarray, dG: np.ndarray,
        coefficients: tuple[np.float32, ...], items: slice,
    ) -> None:  # fmt: skip
        columns, values = (each[items] for each in self.kept)
        dA, nothing = np.empty_like(values), np.zeros(len(values) + 1, Xt.indptr.dtype)
        indptr = Xt.indptr[items.start : items.stop + 1]
        pull_of_rows(indptr, Xt.indices, Xt.data, dH, columns, dA)
        if A is None:
            add_gram_slope(dG, columns, values, dA)
        else:
            dA += np.take_along_axis(A[items] @ dG, columns.astype(np.int64), axis=1)
        first, second = (each[items] for each in self._moments)
        descend(
            nothing, Xt.indices, Xt.data, dH, dA, values, self._norm[items], first, second,
            *coefficients,
        )  # fmt: skip


def _pieces(n: int, n_pieces: int = _PIECES) -> list[slice]:
    edges = np.linspace(0, n, min(n, n_pieces) + 1).astype(int)
    return [slice(*pair) for pair in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
