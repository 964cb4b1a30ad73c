"""Likeness by content: users are the mean of what they met, items are unit vectors."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

_SHORTER = 1.0 - 2.0**-22  # so that no product of rounded rows exceeds 1


@dataclass(frozen=True)
class ContentModel:
    """Scores an item by the cosine of its vector and the weighted mean of the user's.

    Reference: Pazzani and Billsus, "Content-based recommendation systems", The Adaptive Web
    2007, doi:10.1007/978-3-540-72079-9_10 (the profile is its vector of a user's likes).
    """

    V: Float[np.ndarray, "n_items n_dimensions"]  # float32, unit rows; zero where nothing is known

    def encode(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_dimensions"]:
        """Return unit profiles, float32; zero for a user of whose history nothing is known."""
        return unit_or_zero(np.asarray(X @ self.V, dtype=np.float32))

    @property
    def decoder(self) -> Float[np.ndarray, "n_items n_dimensions"]:
        """Return the item vectors."""
        return self.V


def unit_or_zero(
    V: Float[np.ndarray, "n_rows n_dimensions"],
) -> Float[np.ndarray, "n_rows n_dimensions"]:
    """Return the rows with length 1, in float32; rows of zeros stay. No product exceeds 1."""
    length = np.sqrt(np.einsum("ij,ij->i", V, V, dtype=np.float64))[:, None]
    return (V * (_SHORTER / np.where(length > 0, length, 1.0))).astype(np.float32)
