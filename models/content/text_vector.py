"""Vectors of texts from counts of their terms: weighted, then reduced to the leading topics."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.content.content import unit_or_zero
from models.elsa.spectral import leading_right_vectors

_LEAST_LENGTH = 0.1  # of a text's unit vector in the topics; below, they say nothing about it


@dataclass(frozen=True)
class TextVectors:
    """Turns counts of terms into unit vectors."""

    terms: Int[np.ndarray, " n_kept"]  # columns that are looked at, rising
    rarity: Float[np.ndarray, " n_kept"]  # float32, weight of each
    topics: Float[np.ndarray, "n_kept n_dimensions"]  # float32, orthonormal columns
    strength: Float[np.ndarray, " n_dimensions"]  # float32, singular values, falling

    def vectors(
        self, counts: sp.csr_array
    ) -> tuple[Float[np.ndarray, "n_texts n_dimensions"], Bool[np.ndarray, " n_texts"]]:
        """Return unit rows (float32) and which texts are known; rows of others are zero.

        Topics count as their strength to the power 1/2 and not 1, so that the few that nearly
        all texts share do not make everything alike.

        Args:
            counts: of terms, shape (n_texts, n_terms).
        """
        H = _weighted(counts[:, self.terms], self.rarity) @ self.topics
        known = np.einsum("ij,ij->i", H, H, dtype=np.float64) > _LEAST_LENGTH**2
        V = unit_or_zero(H / np.sqrt(self.strength))
        return V * known[:, None], known


def fit_text_vectors(counts: sp.csr_array, *, n_dimensions: int, seed: int) -> TextVectors | None:
    """Return what vectors of texts are made with; None where no two texts share a telling term.

    A term counts 1 + log(n) for n times in a text, and log((1 + n_texts) / (1 + d)) for being
    in d texts; one that is in a single text likens nothing and is left out.

    Reference: Deerwester et al., "Indexing by latent semantic analysis", JASIS 1990.

    Args:
        counts: of terms, shape (n_texts, n_terms); whole numbers.
        n_dimensions: most topics.
        seed: of the decomposition.
    """
    n_with = np.bincount(counts.indices[counts.data > 0], minlength=counts.shape[1])
    terms = np.flatnonzero(n_with >= 2)
    rarity = np.log((1.0 + counts.shape[0]) / (1.0 + n_with[terms])).astype(np.float32)
    terms, rarity = terms[rarity > 0], rarity[rarity > 0]
    if not len(terms):
        return None
    T = _weighted(counts[:, terms], rarity)
    topics, strength = leading_right_vectors(T, min(n_dimensions, len(terms)), seed=seed)
    kept = topics.any(axis=0) & (strength > 0)
    return TextVectors(terms, rarity, topics[:, kept], strength[kept])


def _weighted(counts: sp.csr_array, rarity: np.ndarray) -> sp.csr_array:
    """Return rows of unit length, float32."""
    T = counts.astype(np.float32)
    T.data = (1.0 + np.log(T.data)) * rarity[T.indices]
    length = np.sqrt(T.multiply(T).sum(axis=1))
    T.data /= np.repeat(np.where(length > 0, length, 1.0), np.diff(T.indptr)).astype(np.float32)
    return T
