"""Where scores come from: products of factors, or a model that tells them itself."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
import torch

from models.ranking.selection import Entries

_UNIT = 2.0**-22  # relative error of a float32 sum's step; four times what IEEE asks for
_ROUNDING = {"float32": 0.0, "tfloat32": 2.0**-10, "bfloat16": 2.0**-8}  # of factors and result
_LEAST = 2.0**-126  # what is smaller may be taken for zero
_LARGEST_BF16 = 1e15  # of a factor's length, so that no product overflows
_ROWS_OF_NORMS = 65_536
Scores = np.ndarray | sp.csr_array


@runtime_checkable
class FactorModel(Protocol):
    """A model whose scores are ``encode(X) @ decoder.T``, but for a few items of every row.

    It may have a method ``own(X)``: what an item's own entry in X adds to that product and must
    not, float32, aligned with ``X.indices``; and ``beside``: None, or a function of X that gives
    what is to be added to the product, a sparse matrix of its shape, float32, sorted indices.
    """

    def encode(self, X: sp.csr_array) -> np.ndarray:
        """Return row factors, shape (batch, n_factors), float32."""
        ...

    @property
    def decoder(self) -> np.ndarray:
        """Item factors, shape (n_items, n_factors), float32."""
        ...


@runtime_checkable
class ScoreModel(Protocol):
    """A model that scores every item of a row: item-item, neural."""

    def scores(self, X: sp.csr_array) -> Scores:
        """Return scores, shape (batch, n_items), float32; where a sparse one has none it is 0."""
        ...


class Batch(NamedTuple):
    """Rows ready to be scored."""

    H: np.ndarray  # (rows, n_factors) float32; no factors: scores are given
    added: Entries
    margin: np.ndarray  # (rows,) float64: how far the product may be from the exact score
    scores: Scores | None


class FactorRows:
    """Rows whose scores are products with item factors."""

    def __init__(
        self,
        encode: Callable[[slice], np.ndarray],
        decoder: np.ndarray,
        *,
        added: Callable[[slice], Entries] | None = None,
        listed: np.ndarray | None = None,
        extra: np.ndarray | None = None,
    ) -> None:
        """Take what makes row factors, and item factors.

        Args:
            encode: from a slice of rows to factors, shape (rows, n_factors).
            decoder: shape (n_items, n_factors).
            added: from a slice of rows to what must be added to their products.
            listed: items anybody may be shown; only their lengths count.
            extra: boost - 1, shape (n_items,).
        """
        self._encode, self._added = encode, added
        self.decoder = np.require(decoder, np.float32, ["C"])
        self.n_items, self.n_factors = self.decoder.shape
        self.longest = _longest(self.decoder, listed)
        self._largest_extra = 0.0 if extra is None else float(np.abs(extra).max(initial=0.0))

    def batch(self, rows: slice, *, products: str = "float32") -> Batch:
        """Return rows' factors and how far products with them may be off.

        Args:
            rows: which.
            products: float32, tfloat32 or bfloat16: what the products are made in.
        """
        H = np.require(self._encode(rows), np.float32, ["C", "W"])
        added = nothing(len(H)) if self._added is None else self._added(rows)
        margin = self._margin(H, added, products=products)
        return Batch(H, added, margin, None)

    def fits_bf16(self, H: np.ndarray) -> bool:
        """Tell whether no product of rounded factors can overflow."""
        return bool(max(self.longest, _lengths(H).max(initial=0.0)) < _LARGEST_BF16)

    def _margin(self, H: np.ndarray, added: Entries, *, products: str) -> np.ndarray:
        """Bound |seen - exact| of every row.

        A product of r terms, summed in any order, is off by at most gamma |h| |d| (Higham,
        Accuracy and Stability of Numerical Algorithms, 2002, section 3.1; Cauchy-Schwarz); both
        factors and the result may have been rounded besides.
        """
        n_factors = H.shape[1]
        gamma = 1.01 * (n_factors + 10) * _UNIT
        gamma = (1.0 + _ROUNDING[products]) ** 3 * (1.0 + gamma) - 1.0
        length = _lengths(H)
        size = length * self.longest + _largest(added)
        lost = 2.0 * n_factors * _LEAST * (1.0 + length + self.longest)
        change = 1.0 + self._largest_extra
        return np.where(size > 0.0, 1.01 * change * (gamma * size + lost), 0.0)


class ScoreRows:
    """Rows whose scores a model tells."""

    def __init__(self, scores: Callable[[slice], Scores], n_items: int) -> None:
        """Take what makes scores of a slice of rows."""
        self._scores = scores
        self.n_items, self.n_factors = n_items, 0
        self.decoder = np.empty((n_items, 0), np.float32)

    def batch(self, rows: slice, *, products: str = "float32") -> Batch:  # noqa: ARG002
        """Return the scores of rows, which are exact.

        Raises:
            ValueError: they are not of n_items.
        """
        scores, n_rows = self._scores(rows), rows.stop - rows.start
        if scores.shape != (n_rows, self.n_items):
            raise ValueError(f"scores must be {(n_rows, self.n_items)}, got {scores.shape}")
        if sp.issparse(scores):
            scores = sp.csr_array(scores).astype(np.float32, copy=False)
        else:
            scores = np.asarray(scores, dtype=np.float32)
        H = np.empty((n_rows, 0), np.float32)
        return Batch(H, nothing(n_rows), np.zeros(n_rows), scores)

    def fits_bf16(self, H: np.ndarray) -> bool:  # noqa: ARG002
        """Tell that scores are never rounded."""
        return False


Rows = FactorRows | ScoreRows


def nothing(n_rows: int) -> Entries:
    """Return rows without entries."""
    return Entries(np.zeros(n_rows + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))


def entries(X: sp.csr_array, rows: slice, values: np.ndarray | None = None) -> Entries:
    """Return rows of a matrix with sorted indices; values are those of the rows alone."""
    start, stop = int(X.indptr[rows.start]), int(X.indptr[rows.stop])
    indptr = X.indptr[rows.start : rows.stop + 1].astype(np.int64) - start
    found = np.empty(0, np.float32) if values is None else np.require(values, np.float32, ["C"])
    return Entries(indptr, X.indices[start:stop].astype(np.int32), found)


def has_fast_bf16() -> bool:
    """Tell whether this processor multiplies bfloat16 faster than float32."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _lengths(H: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", H, H, dtype=np.float64))


def _longest(D: np.ndarray, listed: np.ndarray | None) -> float:
    """Return the length of the longest finite row that may be listed."""
    longest = 0.0
    for start in range(0, len(D), _ROWS_OF_NORMS):
        lengths = _lengths(D[start : start + _ROWS_OF_NORMS])
        known = np.isfinite(lengths)
        if listed is not None:
            known &= listed[start : start + _ROWS_OF_NORMS]
        longest = max(longest, float(lengths[known].max(initial=0.0)))
    return longest


def _largest(added: Entries) -> np.ndarray:
    n = np.diff(added.indptr)
    largest = np.zeros(len(n))
    filled = np.flatnonzero(n)
    if len(filled):
        sizes = np.abs(added.values.astype(np.float64))
        largest[filled] = np.maximum.reduceat(sizes, added.indptr[filled])
    return largest
