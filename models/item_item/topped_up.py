"""A sparse model that ranks every item: what it has no score for follows by popularity."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from models.item_item.item_item import SparseItemItem
from models.item_item.sparse_ranking import popularity_order


@dataclass(frozen=True)
class ToppedUp:
    """Scores in the order of rank_sparse: positive ones, then by popularity, then negative ones.

    Tables fill such places from their fallbacks; so a judgement that gave them to whatever item
    comes first would be unjust.
    """

    model: SparseItemItem
    counts: Int[np.ndarray, " n_items"]

    def scores(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return scores, float32; only those above 0 are the model's own."""
        n_items = X.shape[1]
        place = np.empty(n_items, dtype=np.float32)
        place[popularity_order(self.counts)] = -np.arange(1, n_items + 1, dtype=np.float32)
        S = self.model.scores(X)
        scores = np.repeat(place[None], X.shape[0], axis=0)
        row = np.repeat(np.arange(X.shape[0]), np.diff(S.indptr))
        below = S.data < 0.0
        given = np.where(below, -(n_items + 1.0) * (1.0 - S.data), S.data)
        told = S.data != 0.0
        scores[row[told], S.indices[told]] = given[told]
        return scores
