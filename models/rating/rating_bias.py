"""Ratings by what users and items tend to: a mean and two biases, what other models must beat."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.item_rows import over_items
from models.rating.rating_model import cold_pairs
from models.rating.rating_scale import RatingScale, rated_columns, rating_scale


@dataclass(frozen=True)
class RatingBias:
    """Rating = mean + the item's bias + the user's, which is that of their row.

    A factor model of two factors; it ranks alike for everybody, but for what they have seen.
    """

    bias: Float[np.ndarray, " n_items"]  # float32
    mean: float
    user_l2: float
    scale: RatingScale
    rated: Bool[np.ndarray, " n_items"]

    def encode(self, R: sp.csr_array) -> Float[np.ndarray, "batch 2"]:
        """Return the mean and bias of every row, and a 1 for the item's."""
        user = np.repeat(np.arange(R.shape[0]), np.diff(R.indptr))
        left = R.data - self.mean - self.bias.astype(np.float64)[R.indices]
        own = self.mean + _shrunken(user, left, R.shape[0], self.user_l2)
        return np.stack([own, np.ones(R.shape[0])], axis=1).astype(np.float32)

    @cached_property
    def decoder(self) -> Float[np.ndarray, "n_items 2"]:
        """Return a 1 for the user, and the bias of every item."""
        return np.stack([np.ones_like(self.bias), self.bias], axis=1)

    def predict_ratings(
        self, R: sp.csr_array, row: Int[np.ndarray, " n_pairs"], item: Int[np.ndarray, " n_pairs"]
    ) -> Float[np.ndarray, " n_pairs"]:
        """Return the rating that each row would give each item, see RatingModel."""
        values = self.encode(R)[row, 0].astype(np.float64) + self.bias[item]
        return self.scale.kept(values, cold_pairs(R, row, item, self.rated))

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "RatingBias":
        """Return the model over at least as many items as it has; later ones have no rating."""
        bias = np.pad(self.bias, (0, len(known) - len(self.bias)))
        return replace(self, bias=bias, rated=over_items(self.rated, known))


def fit_rating_bias(R: sp.csr_array, *, item_l2: float, user_l2: float) -> RatingBias:
    """Return the mean of all ratings, and the biases of items, shrunken towards 0.

    Reference: Koren, TKDD 4(1), 2010, doi:10.1145/1644873.1644874, section 2.1; our item_l2 and
    user_l2 are its lambda 2 and 3.

    Args:
        R: ratings, every stored entry is one, shape (n_users, n_items).
        item_l2: ratings without a bias that an item is taken to have besides its own.
        user_l2: likewise for users.

    Raises:
        ValueError: a weight is not positive, or as rating_scale.
    """
    for name, value in {"item_l2": item_l2, "user_l2": user_l2}.items():
        if value <= 0:
            raise ValueError(f"{name} must be positive, got {value}")
    scale = rating_scale(R)
    mean = float(R.data.mean(dtype=np.float64))
    bias = _shrunken(R.indices, R.data - mean, R.shape[1], item_l2).astype(np.float32)
    return RatingBias(bias, mean, user_l2, scale, rated_columns(R))


def fit_rating_mean(R: sp.csr_array) -> RatingBias:
    """Return the model that predicts the mean of all ratings, whoever rates what.

    Args:
        R: ratings, every stored entry is one, shape (n_users, n_items).

    Raises:
        ValueError: as rating_scale.
    """
    mean, bias = float(R.data.mean(dtype=np.float64)), np.zeros(R.shape[1], np.float32)
    return RatingBias(bias, mean, np.inf, rating_scale(R), rated_columns(R))


def _shrunken(group: np.ndarray, values: np.ndarray, n_groups: int, l2: float) -> np.ndarray:
    count = np.bincount(group, minlength=n_groups)
    return np.asarray(np.bincount(group, values, n_groups) / (count + l2))
