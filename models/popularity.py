"""Popularity: the same list for everybody, but for what they have seen."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Num


@dataclass(frozen=True)
class Popularity:
    """Scores every item by its count; a factor model with a single factor."""

    counts: Num[np.ndarray, " n_items"]

    def encode(self, X: sp.csr_array) -> Float[np.ndarray, "batch 1"]:
        """Return ones: every user likes what all like."""
        return np.ones((X.shape[0], 1), dtype=np.float32)

    @property
    def decoder(self) -> Float[np.ndarray, "n_items 1"]:
        """Return the counts as a single factor, float32."""
        return np.asarray(self.counts, dtype=np.float32)[:, None]
