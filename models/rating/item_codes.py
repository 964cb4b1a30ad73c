"""Ratings from fixed codes of items: what a row makes of them is solved for."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.content.content import unit_or_zero
from models.item_rows import over_items
from models.rating.rating_model import cold_pairs, pair_products
from models.rating.rating_offset import RatingOffset
from models.rating.rating_scale import RatingScale
from models.rating.ridge_kernel import ridge_rows


@dataclass(frozen=True)
class ItemCodes:
    """Predicted rating = offset + code · the row's weights + the row's bias.

    An item-based autoencoder learns such weights and a bias for every row of training, together
    with the codes. With the codes as they are, its own loss is a ridge regression for each row:
    solved here, so that any row is served, and those of training as their ratings are now.
    """

    codes: Float[np.ndarray, "n_items n_code"]
    l2: float  # ridge weight on a row's weights; its bias has none
    offset: RatingOffset
    scale: RatingScale
    rated: Bool[np.ndarray, " n_items"]
    best_epoch: int = 0
    embedding: Float[np.ndarray, "n_items n_embedding"] | None = None  # if not the codes
    consumes: ClassVar[str] = "ratings"

    def encode(self, R: sp.csr_array) -> Float[np.ndarray, "batch n_weights"]:
        """Return weights, the row's whole offset, and a 1 for the item's; float32."""
        ridge = np.append(np.full(self.codes.shape[1], self.l2), 0.0)
        w = ridge_rows(self.offset.removed(R), self._features, ridge)
        own = w[:, -1] + self.offset.mean + self.offset.of_users(R)
        ones = np.ones(R.shape[0])
        return np.column_stack([w[:, :-1], own, ones]).astype(np.float32)

    @cached_property
    def decoder(self) -> Float[np.ndarray, "n_items n_weights"]:
        """Return codes, a 1, and the item's offset."""
        return np.column_stack([self._features, self.offset.item]).astype(np.float32)

    @cached_property
    def vectors(self) -> Float[np.ndarray, "n_items n_code"]:
        """Return the codes with unit rows, or the layer that was named as embedding."""
        embedding = self.codes if self.embedding is None else self.embedding
        return unit_or_zero(embedding * self.rated[:, None])

    def predict_ratings(
        self, R: sp.csr_array, row: Int[np.ndarray, " n_pairs"], item: Int[np.ndarray, " n_pairs"]
    ) -> Float[np.ndarray, " n_pairs"]:
        """Return the rating that each row would give each item, see RatingModel."""
        values = pair_products(self.encode, self.decoder, R, row, item)
        return self.scale.kept(values, cold_pairs(R, row, item, self.rated))

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "ItemCodes":
        """Return the model over at least as many items; others have no code and no rating."""
        embedding = None if self.embedding is None else over_items(self.embedding, known)
        return replace(
            self, codes=over_items(self.codes, known), rated=over_items(self.rated, known),
            embedding=embedding, offset=self.offset.laid_over(known),
        )  # fmt: skip

    @cached_property
    def _features(self) -> np.ndarray:
        return np.column_stack([self.codes, np.ones(len(self.codes), np.float32)])
