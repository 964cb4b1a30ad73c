"""ELSA's exact form on the CPU: one pass over the parameter, in tiles that stay in the cache.

While a tile of items is at hand its gradient is finished, NAdam's step is made, its rows are
normalised again, and its share of the next step's Gram matrix is added up. Work is cut into
slices that depend on its size alone and summed in their order, so that the result has the same
bits on any number of cores.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from threadpoolctl import ThreadpoolController

from models.elsa.elsa_exact import derivatives
from models.elsa.elsa_kernel import descend, gather
from models.elsa.elsa_state import Parameter
from models.elsa.nadam import Coefficients, Schedule

_MOST_SLICES = 16
_LEAST_ROWS, _LEAST_ITEMS = 128, 512  # of a slice
_TILE = 1 << 18  # numbers of the parameter at hand: 1 MB
_FLOOR = float(np.finfo(np.float32).eps)


class _Batch(NamedTuple):
    X: sp.csr_array  # (batch, n_items)
    Xt: sp.csr_array
    weight: np.ndarray  # (batch,)


class CpuEngine:
    """Runs epochs of the exact form on a parameter in main memory."""

    def __init__(
        self, X: sp.csr_array, parameter: Parameter, *, scale: float, weight: np.ndarray
    ) -> None:
        """Take the rows to learn from and a parameter of one's own, which epochs replace.

        Args:
            X: rows with at least one item each, shape (n_users, n_items), float32.
            parameter: where to start.
            scale: factor of the mean of 1 - cos(x, y), 2 / n_items for NMSE.
            weight: what a row's loss counts, shape (n_users,), float32.
        """
        self.X = X
        self.parameter = parameter
        self._scale, self._weight = scale, weight
        self._blas = ThreadpoolController()
        self._G: np.ndarray | None = None  # AᵀA, with the same bits as if computed anew

    def run_epoch(
        self, order: np.ndarray, *, batch_size: int, learning_rate: float, schedule: Schedule
    ) -> tuple[np.ndarray, Schedule]:
        """Visit the rows in an order; return the loss of every batch and the next schedule.

        The epoch ends at a loss that is not finite.
        """
        losses = []
        with self._workers() as pool:
            G = self._gram(pool) if self._G is None else self._G
            for batch in self._batches(pool, order, batch_size):
                schedule, coefficients = schedule.advance(learning_rate)
                loss, G = self._step(pool, batch, G, coefficients)
                losses.append(loss)
                if not np.isfinite(loss):
                    break
        self._G = G
        return np.array(losses), schedule

    @contextmanager
    def _workers(self) -> Iterator[ThreadPoolExecutor]:
        """Open as many threads as torch would use, each with a BLAS of one thread."""
        with (
            self._blas.limit(limits=1, user_api="blas"),
            ThreadPoolExecutor(torch.get_num_threads()) as pool,
        ):
            yield pool

    def _batches(
        self, pool: ThreadPoolExecutor, order: np.ndarray, batch_size: int
    ) -> Iterator[_Batch]:
        """Yield batches in order; the next one is gathered while a step is made."""

        def gather_rows(start: int) -> _Batch:
            rows = order[start : start + batch_size]
            X = self.X[rows]
            return _Batch(X, X.T.tocsr(), self._weight[rows])

        ahead = pool.submit(gather_rows, 0)
        for start in range(batch_size, len(order) + batch_size, batch_size):
            batch = ahead.result()
            ahead = pool.submit(gather_rows, start)
            yield batch

    def _gram(self, pool: ThreadPoolExecutor) -> np.ndarray:
        parts = pool.map(self._gram_of, _slices(len(self.parameter.A), _LEAST_ITEMS))
        return np.asarray(sum(parts))

    def _gram_of(self, items: slice) -> np.ndarray:
        tiles = (self.parameter.A[tile] for tile in self._tiles(items))
        return np.asarray(sum(A.T @ A for A in tiles))

    def _tiles(self, items: slice) -> Iterator[slice]:
        n_tile = max(1, _TILE // self.parameter.A.shape[1])
        for start in range(items.start, items.stop, n_tile):
            yield slice(start, min(start + n_tile, items.stop))

    def _step(
        self, pool: ThreadPoolExecutor, batch: _Batch, G: np.ndarray, coefficients: Coefficients
    ) -> tuple[float, np.ndarray]:
        n_rows, n_items = batch.X.shape
        rows = partial(self._rows, batch.X, batch.weight, G, self._scale / n_rows)
        parts = pool.map(rows, _slices(n_rows, _LEAST_ROWS))
        losses, dH, dG = zip(*parts, strict=True)
        sweep = partial(
            self._sweep, batch.Xt, np.concatenate(dH), 2.0 * np.asarray(sum(dG)), coefficients
        )
        G = np.asarray(sum(pool.map(sweep, _slices(n_items, _LEAST_ITEMS))))
        return float(np.concatenate(losses).mean() * self._scale), G

    @np.errstate(invalid="ignore", over="ignore")  # what is not finite shows in the loss
    def _rows(
        self, X: sp.csr_array, weight: np.ndarray, G: np.ndarray, scale: float, rows: slice
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        H = np.empty((rows.stop - rows.start, G.shape[0]), np.float32)
        indptr = X.indptr[rows.start : rows.stop + 1]
        gather(indptr, X.indices, X.data, self.parameter.A, H)
        values = X.data[indptr[0] : indptr[-1]]
        squares = np.add.reduceat(values * values, indptr[:-1] - indptr[0])
        return derivatives(H, G, squares, weight[rows], scale=scale, floor=_FLOOR)

    @np.errstate(invalid="ignore", over="ignore")
    def _sweep(
        self,
        Xt: sp.csr_array,
        dH: np.ndarray,
        dG: np.ndarray,
        coefficients: Coefficients,
        items: slice,
    ) -> np.ndarray:
        """Make the step of a slice of items; return its share of the next Gram matrix."""
        factors = tuple(np.float32(each) for each in coefficients)
        dA, G = np.empty((max(1, _TILE // len(dG)), len(dG)), np.float32), np.zeros_like(dG)
        for tile in self._tiles(items):
            A, norm, first, second = (each[tile] for each in self.parameter)
            gradient = np.matmul(A, dG, out=dA[: len(A)])
            indptr = Xt.indptr[tile.start : tile.stop + 1]
            descend(indptr, Xt.indices, Xt.data, dH, gradient, A, norm, first, second, *factors)
            G += A.T @ A
        return G


def _slices(n: int, least: int) -> list[slice]:
    edges = np.linspace(0, n, max(1, min(_MOST_SLICES, n // least)) + 1).astype(int)
    return [slice(start, stop) for start, stop in pairwise(edges)]
