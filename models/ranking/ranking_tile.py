"""Tiles of scores: a block of rows by some items, into memory that is used again."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch

from models.ranking.ranking_rows import Batch
from models.ranking.selection import compiled

Tiles = Callable[[np.ndarray], np.ndarray]
_CHUNK = 65_536  # items converted at once


def tiles_of(
    batch: Batch, D: np.ndarray, width: int, *, halved: torch.Tensor | None = None
) -> Tiles:
    """Return what gives the scores of some rising items, shape (rows, n_columns), float32.

    The array given last time is overwritten.

    Args:
        batch: rows.
        D: item factors, shape (n_items, n_factors), float32.
        width: most items at once.
        halved: D in bfloat16; the products are then made in it.
    """
    room = np.empty(len(batch.margin) * width, np.float32)
    if halved is not None:
        return _products_in_bf16(torch.from_numpy(batch.H).bfloat16(), halved, room)
    if batch.scores is None:
        return _products(batch.H, D, width, room)
    if isinstance(batch.scores, np.ndarray):
        return _columns_of(batch.scores, room)
    return _columns_of_sparse(batch.scores, room)


def in_bf16(D: np.ndarray) -> torch.Tensor:
    """Return a copy in bfloat16, made piece by piece."""
    halved = torch.empty(D.shape, dtype=torch.bfloat16)
    for start in range(0, len(D), _CHUNK):
        piece = torch.from_numpy(np.array(D[start : start + _CHUNK]))
        halved[start : start + _CHUNK] = piece
    return halved


def _shaped(room: np.ndarray, n_rows: int, columns: np.ndarray) -> np.ndarray:
    return room[: n_rows * len(columns)].reshape(n_rows, len(columns))


def _run(columns: np.ndarray) -> slice | None:
    """Return the items as a slice if they follow each other."""
    first, last = int(columns[0]), int(columns[-1])
    return slice(first, last + 1) if last - first == len(columns) - 1 else None


def _products(H: np.ndarray, D: np.ndarray, width: int, room: np.ndarray) -> Tiles:
    gathered = np.empty((width, D.shape[1]), np.float32)

    def scores(columns: np.ndarray) -> np.ndarray:
        run = _run(columns)
        if run is not None:
            factors = D[run]
        else:
            factors = gathered[: len(columns)]
            np.take(D, columns, axis=0, out=factors, mode="clip")
        return np.matmul(H, factors.T, out=_shaped(room, len(H), columns))

    return scores


def _products_in_bf16(H: torch.Tensor, D: torch.Tensor, room: np.ndarray) -> Tiles:
    def scores(columns: np.ndarray) -> np.ndarray:
        run = _run(columns)
        factors = D[run] if run is not None else D[torch.from_numpy(columns)]
        S = _shaped(room, len(H), columns)
        torch.from_numpy(S).copy_(torch.mm(H, factors.T))
        return S

    return scores


def _columns_of(given: np.ndarray, room: np.ndarray) -> Tiles:
    def scores(columns: np.ndarray) -> np.ndarray:
        S, run = _shaped(room, len(given), columns), _run(columns)
        S[:] = given[:, run] if run is not None else given[:, columns]
        return S

    return scores


def _columns_of_sparse(given: sp.csr_array, room: np.ndarray) -> Tiles:
    given = given if given.has_canonical_format else _canonical(given)
    at = given.indptr[:-1].astype(np.int64)
    indptr, indices = given.indptr.astype(np.int64), given.indices.astype(np.int32)

    def scores(columns: np.ndarray) -> np.ndarray:
        S = _shaped(room, given.shape[0], columns)
        _spread(at, indptr, indices, given.data, columns, S)
        return S

    return scores


def _canonical(given: sp.csr_array) -> sp.csr_array:
    summed = given.copy()
    summed.sum_duplicates()
    return summed


@compiled
def _spread(
    at: np.ndarray, indptr: np.ndarray, indices: np.ndarray, data: np.ndarray,
    columns: np.ndarray, S: np.ndarray,
) -> None:  # fmt: skip
    """Write the entries of some columns into S, zero elsewhere; at moves on to the next tile."""
    S[:] = np.float32(0.0)
    for row in range(len(S)):
        entry, place = at[row], 0
        while entry < indptr[row + 1] and place < len(columns):
            if indices[entry] == columns[place]:
                S[row, place] = data[entry]
                entry += 1
                place += 1
            elif indices[entry] < columns[place]:
                entry += 1
            else:
                place += 1
        at[row] = entry
