"""A fitted network over rows of ratings, in numpy: predictions, codes, outputs of codes."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.content.content import unit_or_zero
from models.item_rows import over_items
from models.network.dense_layer import Dense, activated
from models.rating.rating_model import cold_pairs, pair_products
from models.rating.rating_offset import RatingOffset
from models.rating.rating_scale import RatingScale


@dataclass(frozen=True)
class RatingNetworkModel:
    """Predicted rating = offset + unit x output of the layers on what the row's offset leaves."""

    layers: tuple[Dense, ...]
    offset: RatingOffset
    scale: RatingScale
    rated: Bool[np.ndarray, " n_items"]
    unit: float = 1.0  # what the network learnt were ratings less offset, over this
    code: int = 0  # which layer gives the code
    k_sparse: int | None = None  # numbers of a code that are kept, ties with the k-th too
    best_epoch: int = 0
    consumes: ClassVar[str] = "ratings"

    def codes(self, R: sp.csr_array) -> Float[np.ndarray, "batch n_code"]:
        """Return the code of every row, without noise."""
        left = self.offset.removed(R)
        h: np.ndarray = self.layers[0](_over(left, self.unit))
        for layer in self.layers[1 : self.code + 1]:
            h = layer(h)
        return (h if self.k_sparse is None else largest(h, self.k_sparse)).astype(np.float32)

    def encode_last(self, R: sp.csr_array) -> Float[np.ndarray, "batch n_last"]:
        """Return the output of the last layer but one, and a 1 for the last one's bias."""
        return _with_one(self._before_last(self.codes(R)))

    def decoded(
        self, codes: Float[np.ndarray, "batch n_code"]
    ) -> Float[np.ndarray, "batch n_items"]:
        """Return the ratings that codes stand for, on the scale, of a row without offset."""
        out = self.layers[-1](self._before_last(codes)) * self.unit
        out += self.offset.mean + self.offset.item
        return np.clip(out, self.scale.lowest, self.scale.highest).astype(np.float32)

    def scores(self, R: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return predicted ratings of all items, for small batches; not clipped, to rank by."""
        out = self.layers[-1](self._before_last(self.codes(R))) * self.unit
        user = self.offset.of_users(R)[:, None]
        return (out + self.offset.mean + self.offset.item + user).astype(np.float32)

    def predict_ratings(
        self, R: sp.csr_array, row: Int[np.ndarray, " n_pairs"], item: Int[np.ndarray, " n_pairs"]
    ) -> Float[np.ndarray, " n_pairs"]:
        """Return the rating that each row would give each item, see RatingModel."""
        raw = pair_products(self.encode_last, self._last, R, row, item)
        out = activated(raw, self.layers[-1].activation) * self.unit
        out = out + self.offset.mean + self.offset.item[item] + self.offset.of_users(R)[row]
        return self.scale.kept(out, cold_pairs(R, row, item, self.rated))

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "RatingNetworkModel":
        """Return the model over at least as many items; others add nothing, without a rating."""
        first, *middle, last = self.layers
        wide = first._replace(W=over_items(first.W, known))
        return replace(
            self, layers=(wide, *middle, last.laid_over(known)),
            rated=over_items(self.rated, known), offset=self.offset.laid_over(known),
        )  # fmt: skip

    @cached_property
    def vectors(self) -> Float[np.ndarray, "n_items n_directions"]:
        """Return what the last layer knows of each item, unit rows, without the bias."""
        return unit_or_zero(np.ascontiguousarray(self.layers[-1].W.T))

    @cached_property
    def _last(self) -> np.ndarray:
        last = self.layers[-1]
        return np.ascontiguousarray(np.vstack([last.W, last.b]).T)

    def _before_last(self, codes: np.ndarray) -> np.ndarray:
        h = codes
        for layer in self.layers[self.code + 1 : -1]:
            h = layer(h)
        return h


def largest(h: Float[np.ndarray, "batch n_code"], k: int) -> Float[np.ndarray, "batch n_code"]:
    """Return codes with all but the k largest of each set to 0; ties with the k-th are kept."""
    k = min(k, h.shape[1])
    least = np.partition(h, h.shape[1] - k, axis=1)[:, h.shape[1] - k, None]
    return np.where(h >= least, h, h.dtype.type(0))


def _over(R: sp.csr_array, unit: float) -> sp.csr_array:
    return sp.csr_array((R.data / np.float32(unit), R.indices, R.indptr), shape=R.shape)


def _with_one(h: np.ndarray) -> np.ndarray:
    return np.hstack([h, np.ones((len(h), 1), dtype=h.dtype)])
