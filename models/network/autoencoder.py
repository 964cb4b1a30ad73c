"""A fitted autoencoder over the rows of X: numpy alone, ranked as a factor model."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float

from models.content.content import unit_or_zero
from models.event.row_value import with_values
from models.item_rows import over_items
from models.network.dense_layer import Dense


@dataclass(frozen=True)
class Autoencoder:
    """Fitted layers from a row of X to scores of all items.

    The last layer is linear in the one before it. So that layer's output, with a 1 appended, is
    what encode returns, and the last weights with their biases are the decoder: ranking never
    forms users x items. An increasing activation after the last layer would rank alike; there is
    none here.
    """

    layers: tuple[Dense, ...]  # the first takes n_items numbers, the last gives n_items
    unit_rows: bool = False  # a row is brought to unit length before the first layer
    binary: bool = True  # entries of a row count as 1
    best_epoch: int = 0
    known: Bool[np.ndarray, " n_items"] | None = None  # others are left out of rows; None: all are
    consumes: ClassVar[str] = "binary or weighted matrix"

    def encode(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_factors"]:
        """Return the output of the last layer but one and a 1, float32."""
        rows = X if self.known is None else with_values(X, X.data, self.known[X.indices])
        h: np.ndarray | sp.csr_array = prepared(rows, unit_rows=self.unit_rows, binary=self.binary)
        for layer in self.layers[:-1]:
            h = layer(h)
        assert isinstance(h, np.ndarray)
        return np.hstack([h, np.ones((X.shape[0], 1))]).astype(np.float32)

    @cached_property
    def decoder(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return the last weights, an item a row, its bias at the end."""
        last = self.layers[-1]
        return np.ascontiguousarray(np.vstack([last.W, last.b]).T)

    def scores(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return dense scores, for small batches."""
        return (self.encode(X).astype(np.float64) @ self.decoder.T).astype(np.float32)

    @cached_property
    def vectors(self) -> Float[np.ndarray, "n_items n_directions"]:
        """Return what the last layer knows of each item, unit rows, without the bias."""
        return unit_or_zero(np.ascontiguousarray(self.layers[-1].W.T))

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "Autoencoder":
        """Return the model over at least as many items; unknown ones add nothing, and score 0."""
        first, *middle, last = self.layers
        wide = first._replace(W=over_items(first.W, known))
        return replace(self, layers=(wide, *middle, last.laid_over(known)), known=known)


def prepared(X: sp.csr_array, *, unit_rows: bool, binary: bool) -> sp.csr_array:
    """Return rows as the first layer takes them; X is left unchanged."""
    data = np.ones_like(X.data) if binary else X.data
    rows = sp.csr_array((data, X.indices, X.indptr), shape=X.shape)
    if not unit_rows:
        return rows
    row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    squares = np.bincount(row, weights=np.square(data, dtype=np.float64), minlength=X.shape[0])
    length = np.sqrt(np.where(squares > 0.0, squares, 1.0))
    return sp.csr_array((data / length[row], X.indices, X.indptr), shape=X.shape)
