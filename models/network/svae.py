"""SVAE fitted: a history's items in their order, read by a GRU, to scores of what comes next."""

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
from models.network.gru import GRU
from models.network.sequence import sequences_of


@dataclass(frozen=True)
class SVAE:
    """Fitted layers, in numpy; the code is its mean, there is no noise.

    The last layer is linear in the one before it. So that layer's output after the last item,
    with a 1 appended, is what encode returns, and the last weights with their biases are the
    decoder: ranking never forms users x items.

    Reference: Sachdeva et al., WSDM 2019, arXiv:1811.09975.
    """

    embedding: Float[np.ndarray, "n_items n_embedding"]  # rows of zeros: items not known
    gru: GRU
    layers: tuple[Dense, ...]  # from the state to the last layer but one
    last: Dense
    max_length: int  # only the last so many items of a row are read
    best_epoch: int = 0
    consumes: ClassVar[str] = "order of a row's items, a larger value being later"

    def encode(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_factors"]:
        """Return the output of the last layer but one after a row's last item, and a 1.

        Args:
            X: an entry's value says when it was, shape (batch, n_items); items that are not
                known are passed over.
        """
        rows = with_values(X, X.data, self._known[X.indices])
        h = self.gru.last_states(sequences_of(rows, self.max_length), self.embedding)
        for layer in self.layers:
            h = layer(h)
        return np.hstack([h, np.ones((X.shape[0], 1))]).astype(np.float32)

    @cached_property
    def decoder(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return the last weights, an item a row, its bias at the end."""
        return np.ascontiguousarray(np.vstack([self.last.W, self.last.b]).T)

    def scores(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return dense scores, for small batches."""
        return (self.encode(X).astype(np.float64) @ self.decoder.T).astype(np.float32)

    @cached_property
    def vectors(self) -> Float[np.ndarray, "n_items n_directions"]:
        """Return what the last layer knows of each item, unit rows, without the bias."""
        return unit_or_zero(np.ascontiguousarray(self.last.W.T))

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "SVAE":
        """Return the model over at least as many items; unknown ones add nothing, and score 0."""
        embedding = over_items(self.embedding, known)
        return replace(self, embedding=embedding, last=self.last.laid_over(known))

    @cached_property
    def _known(self) -> Bool[np.ndarray, " n_items"]:
        return np.asarray(self.embedding.any(axis=1))
