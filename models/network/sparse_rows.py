"""Rows of a CSR matrix on a device, and a network's first layer on them, never densified."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn import functional


class SparseBatch(NamedTuple):
    """Some rows: entries one after the other, row by row."""

    offsets: Tensor  # (batch + 1,) int64, where each row begins
    column: Tensor  # (nnz,) int64
    value: Tensor  # (nnz,) float32
    row: Tensor  # (nnz,) int64
    n_columns: int

    def dense(self) -> Tensor:
        """Return the rows as an array, shape (batch, n_columns)."""
        out = torch.zeros(len(self.offsets) - 1, self.n_columns, device=self.value.device)
        out[self.row, self.column] = self.value
        return out

    def dropped(self, keep: float, noise: torch.Generator) -> "SparseBatch":
        """Return the rows with each entry kept by a chance, and then divided by it."""
        if keep >= 1.0:
            return self
        drawn = torch.rand(self.value.shape, generator=noise, device=self.value.device)
        return self._replace(value=torch.where(drawn < keep, self.value / keep, 0.0))

    def product(self, W: Tensor) -> Tensor:
        """Return rows @ W for W (n_columns, n_out); W's gradient has a fixed order of sums."""
        return functional.embedding_bag(
            self.column, W, self.offsets, mode="sum", per_sample_weights=self.value,
            include_last_offset=True,
        )  # fmt: skip


class SparseRows:
    """A CSR matrix on a device; the host keeps the row pointers, so taking rows never waits."""

    def __init__(self, X: sp.csr_array, device: str) -> None:
        """Copy a matrix, shape (n_rows, n_columns), to a device."""
        self.shape = X.shape
        self._indptr = X.indptr.astype(np.int64)
        self._column = torch.tensor(X.indices.astype(np.int64), device=device)
        self._value = torch.tensor(X.data.astype(np.float32), device=device)

    def take(self, rows: np.ndarray) -> SparseBatch:
        """Return some rows, in their order."""
        counts = self._indptr[rows + 1] - self._indptr[rows]
        ends = np.concatenate(([0], np.cumsum(counts)))
        row = np.repeat(np.arange(len(rows)), counts)
        place = np.arange(ends[-1]) + (self._indptr[rows] - ends[:-1])[row]
        device = self._value.device
        at = torch.from_numpy(place).to(device)
        return SparseBatch(
            torch.from_numpy(ends).to(device), self._column[at], self._value[at],
            torch.from_numpy(row).to(device), int(self.shape[1]),
        )  # fmt: skip
