"""Two fitted autoencoders, of items' and of users' ratings, and a head that rates their codes."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.network.dense_layer import Dense, activated
from models.rating.item_codes import ItemCodes
from models.rating.rating_model import RatingModel, cold_pairs
from models.rating.rating_network_model import RatingNetworkModel
from models.rating.rating_scale import RatingScale

Way = Literal["item", "user", "head", "mean"]
_PAIRS = 8192  # of rows and items that the head rates at once


@dataclass(frozen=True)
class CombinedAutoencoder:
    """Three ways to predict a rating, and their mean; any row is served by each of them."""

    of_items: ItemCodes  # what a row makes of items' codes is solved for
    of_users: RatingNetworkModel
    head: tuple[Dense, Dense]
    way: Way = "mean"
    best_epoch: int = 0
    consumes: ClassVar[str] = "ratings"

    @property
    def scale(self) -> RatingScale:
        """Return what predictions are kept on."""
        return self.of_users.scale

    @property
    def vectors(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return the codes of the items, unit rows."""
        return self.of_items.vectors

    @property
    def codes(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return the codes of the items as the head takes them."""
        assert self.of_items.embedding is not None
        return self.of_items.embedding

    def scores(self, R: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return predicted ratings of all items, for small batches; to rank by.

        They are clipped where they are a mean, as those of pairs are before it is taken.
        """
        if self.way != "mean":
            return self._scored(R, self.way)
        ways: tuple[Way, ...] = ("item", "user", "head")
        total = np.zeros(R.shape)
        for way in ways:
            total += np.clip(self._scored(R, way), self.scale.lowest, self.scale.highest)
        return (total / len(ways)).astype(np.float32)

    def predict_ratings(
        self, R: sp.csr_array, row: Int[np.ndarray, " n_pairs"], item: Int[np.ndarray, " n_pairs"]
    ) -> Float[np.ndarray, " n_pairs"]:
        """Return the rating that each row would give each item, see RatingModel."""
        match self.way:
            case "item":
                return self.of_items.predict_ratings(R, row, item)
            case "user":
                return self.of_users.predict_ratings(R, row, item)
            case "head":
                cold = cold_pairs(R, row, item, self.of_users.rated)
                return self.scale.kept(self._rated(R, row, item), cold)
            case _:
                ways: list[RatingModel] = [self.of_items, self.of_users, replace(self, way="head")]
                told = [each.predict_ratings(R, row, item).astype(np.float64) for each in ways]
                return np.mean(told, axis=0).astype(np.float32)

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "CombinedAutoencoder":
        """Return the model over at least as many items; others add nothing, without a rating."""
        items, users = self.of_items.laid_over(known), self.of_users.laid_over(known)
        return replace(self, of_items=items, of_users=users)

    def _scored(self, R: sp.csr_array, way: Way) -> np.ndarray:
        match way:
            case "item":
                wide = self.of_items.encode(R).astype(np.float64) @ self._item_decoder
                return np.asarray(wide.astype(np.float32))
            case "user":
                return self.of_users.scores(R)
            case _:
                return self._rated_by_all(self.of_users.codes(R)).astype(np.float32)

    @cached_property
    def _item_decoder(self) -> np.ndarray:
        return np.ascontiguousarray(self.of_items.decoder.T, dtype=np.float64)

    def _rated(self, R: sp.csr_array, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        (first, last), stars = self.head, np.empty(len(row))
        order = np.argsort(row, kind="stable")  # few rows are encoded at once
        for start in range(0, len(row), _PAIRS):
            some = order[start : start + _PAIRS]
            asked, at = np.unique(row[some], return_inverse=True)
            m = self.codes[item[some]].astype(np.float64)
            u = self.of_users.codes(R[asked])[at].astype(np.float64)
            stars[some] = last(first(np.hstack([m, u, m * u])))[:, 0]
        return stars * self.of_users.unit

    def _rated_by_all(self, users: np.ndarray) -> np.ndarray:
        """Rate every item by the head, for the codes of some rows, float64.

        What the item's code alone gives the first layer is made once for all rows; what item and
        user give it together comes from those numbers of the user's code that are not 0.
        """
        first, last = self.head
        W = first.W.astype(np.float64)
        of_item, of_user, of_both = np.split(W, 3)
        own = users.astype(np.float64) @ of_user + first.b
        stars = np.empty((len(users), len(self.codes)))
        for start in range(0, len(self.codes), _PAIRS):
            some = slice(start, start + _PAIRS)
            m = self.codes[some].astype(np.float64)
            alone = m @ of_item
            for place, u in enumerate(users):
                used = np.flatnonzero(u)
                h = alone + m[:, used] @ (of_both[used] * u[used, None])
                stars[place, some] = last(activated(h + own[place], first.activation))[:, 0]
        return stars * self.of_users.unit
