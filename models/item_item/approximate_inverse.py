"""Sparse approximate inverse of a sparse unit lower triangular matrix."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float

from models.item_item.inverse_kernel import improved_columns, residual_norms

_LOG_TOLERANCE = -7.0
_PIECE = 64  # columns a thread makes at once
_LEAST_ROOM = 1 << 20  # entries that wait for the next selection, however small the budget
Made = tuple[np.ndarray, np.ndarray, np.ndarray]  # entries of each column, their rows and values


def minimal_residual_inverse(
    L: sp.csc_array, *, budget: int, n_scans: int, n_finetune_steps: int
) -> sp.csc_array:
    """Return M with no more entries than its budget and ``L M`` near the identity.

    It begins at 2 I - L. A scan moves every column whose residual is still long along its
    residual, by the step that shortens it most, and keeps the largest entries of all columns;
    scan s leaves out columns with a residual under 10^(-s-1) √n_items. A finetune step does so
    for the worst columns alone, as many as one dense block of the budget has.

    Reference: Spišák et al., RecSys 2023, doi:10.1145/3604915.3608827 (uniform minimal
    residuals). Here columns are made one by one, so that memory stays within a small multiple
    of L and the result does not depend on the number of threads.

    Args:
        L: unit lower triangular, sorted indices, float32.
        budget: most entries of M.
        n_scans: passes over all columns; fewer than three cost much accuracy.
        n_finetune_steps: passes over the worst columns.
    """
    n, M = L.shape[0], _start(L)
    for scan in range(1, n_scans + 1):
        tolerance = 10.0 ** max(-scan - 1.0, _LOG_TOLERANCE)
        M = _improve(L, M, np.flatnonzero(_norms(L, M) / np.sqrt(n) > tolerance), budget)
    n_worst = int(np.ceil(budget / n))
    for _ in range(n_finetune_steps):
        norms = _norms(L, M) / np.sqrt(n - np.arange(n))
        worst = np.argsort(-norms, kind="stable")[:n_worst]
        M = _improve(L, M, np.sort(worst[norms[worst] > 0.0]), budget)
    return M


def mean_square_residual(L: sp.csc_array, M: sp.csc_array) -> float:
    """Return the mean squared length of the columns of I - L M."""
    return float(np.mean(_norms(L, M) ** 2))


class _Entries(NamedTuple):
    column: np.ndarray
    row: np.ndarray
    value: np.ndarray

    def largest(self, budget: int) -> tuple["_Entries", float]:
        """Return the largest entries and the least of them, 0 while there is room."""
        if len(self.value) <= budget:
            return self, 0.0
        size = np.abs(self.value)
        bar = float(np.partition(size, len(size) - budget)[len(size) - budget])
        kept = size > bar
        tied = np.flatnonzero(size == bar)
        tied = tied[np.lexsort((self.row[tied], self.column[tied]))]
        kept[tied[: budget - int(kept.sum())]] = True
        return _Entries(*(each[kept] for each in self)), bar

    def as_csc(self, n: int) -> sp.csc_array:
        M = sp.csc_array(sp.coo_array((self.value, (self.row, self.column)), shape=(n, n)))
        M.sort_indices()
        return M


def _start(L: sp.csc_array) -> sp.csc_array:
    M = -L
    M.data[L.indptr[:-1]] = 1.0  # the diagonal comes first
    return M


def _parts(M: sp.csc_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return M.indptr.astype(np.int64), M.indices.astype(np.int32), M.data.astype(np.float32)


def _pieces(columns: np.ndarray) -> list[np.ndarray]:
    return [columns[start : start + _PIECE] for start in range(0, len(columns), _PIECE)]


def _norms(L: sp.csc_array, M: sp.csc_array) -> Float[np.ndarray, " n"]:
    norms, parts = np.zeros(L.shape[0]), (*_parts(L), *_parts(M))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        every = _pieces(np.arange(L.shape[0]))
        list(pool.map(lambda columns: residual_norms(*parts, columns, norms), every))
    return norms


def _improve(L: sp.csc_array, M: sp.csc_array, columns: np.ndarray, budget: int) -> sp.csc_array:
    parts = (*_parts(L), *_parts(M))
    return _replace(M, columns, budget, lambda piece, bar: improved_columns(*parts, piece, bar))


def _replace(
    M: sp.csc_array, columns: np.ndarray, budget: int, make: Callable[[np.ndarray, float], Made]
) -> sp.csc_array:
    """Return M with columns made anew, cut to the largest entries of all.

    Only the largest entries so far are held: what falls out of them would fall out at the end.
    """
    n_threads, n = torch.get_num_threads(), M.shape[0]
    pool, bar = _without(M, columns).largest(budget)
    waiting, n_waiting = [pool], 0
    todo = _pieces(columns)
    with ThreadPoolExecutor(n_threads) as threads:
        for start in range(0, len(todo), n_threads):
            some, least = todo[start : start + n_threads], bar
            for piece, made in zip(
                some, threads.map(lambda each, least=least: make(each, least), some), strict=True
            ):
                waiting.append(_Entries(np.repeat(piece.astype(np.int32), made[0]), *made[1:]))
                n_waiting += len(made[1])
            if n_waiting > max(_LEAST_ROOM, budget):
                pool, bar = _joined(waiting).largest(budget)
                waiting, n_waiting = [pool], 0
    return _joined(waiting).largest(budget)[0].as_csc(n)


def _without(M: sp.csc_array, columns: np.ndarray) -> _Entries:
    column = np.repeat(np.arange(M.shape[1], dtype=np.int32), np.diff(M.indptr))
    gone = np.zeros(M.shape[1], dtype=bool)
    gone[columns] = True
    kept = ~gone[column]
    return _Entries(column[kept], M.indices[kept], M.data[kept])


def _joined(entries: list[_Entries]) -> _Entries:
    return _Entries(*(np.concatenate(each) for each in zip(*entries, strict=True)))
