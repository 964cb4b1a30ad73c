"""Content in which only close items are alike: the squares of cosines, as vectors."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from models.content.content import unit_or_zero

_BLOCK = 16_384  # items at once
_LEAST = 1e-6  # of an eigenvalue, relative to the largest


@dataclass(frozen=True)
class SquaredLikeness:
    """Turns unit vectors into others whose cosines are about max(cosine, 0)².

    A learnt side that is a linear map of these tells more about an item that nobody has met than
    one of the vectors themselves: on Goodbooks recall@20 of cold items rose by 5 % from the same
    titles and descriptions.
    """

    landmarks: Float[np.ndarray, "n_landmarks n_dimensions"]  # float32, unit rows
    axes: Float[np.ndarray, "n_landmarks n_axes"]  # float32, over the roots of their eigenvalues

    def vectors(
        self, V: Float[np.ndarray, "n_items n_dimensions"]
    ) -> Float[np.ndarray, "n_items n_axes"]:
        """Return unit rows, float32; zero where nothing is like a landmark.

        Args:
            V: unit rows, or rows of zeros.
        """
        made = np.zeros((len(V), self.axes.shape[1]), np.float32)
        for first in range(0, len(V), _BLOCK):
            rows = slice(first, first + _BLOCK)
            made[rows] = unit_or_zero(_squares(V[rows], self.landmarks) @ self.axes)
        return made


def fit_squared_likeness(
    V: Float[np.ndarray, "n_items n_dimensions"],
    *,
    n_dimensions: int,
    n_landmarks: int,
    seed: int,
) -> SquaredLikeness:
    """Return what makes vectors of squared cosines, from some of the items drawn at random.

    Reference: Williams and Seeger, "Using the Nyström method to speed up kernel machines",
    NIPS 2000.

    Args:
        V: unit rows; rows of zeros are passed over.
        n_dimensions: most axes.
        n_landmarks: most items whose likeness to all others is looked at.
        seed: of the draw.

    Raises:
        ValueError: every row is zero, or a count is not positive.
    """
    known = np.flatnonzero(V.any(axis=1))
    if not len(known) or min(n_dimensions, n_landmarks) < 1:
        raise ValueError(
            "an item must be known, and n_dimensions and n_landmarks positive, got "
            f"{len(known)} items, {n_dimensions} and {n_landmarks}"
        )
    n_drawn = min(n_landmarks, len(known))
    drawn = np.sort(np.random.default_rng(seed).choice(known, n_drawn, replace=False))
    landmarks = V[drawn].astype(np.float32)
    values, axes = np.linalg.eigh(_squares(landmarks, landmarks).astype(np.float64))
    leading = np.argsort(-values, kind="stable")[:n_dimensions]
    leading = leading[values[leading] > _LEAST * values.max()]
    return SquaredLikeness(
        landmarks, (axes[:, leading] / np.sqrt(values[leading])).astype(np.float32)
    )


def _squares(V: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(V @ landmarks.T, 0.0) ** 2, dtype=np.float32)
