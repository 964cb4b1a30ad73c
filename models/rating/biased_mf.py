"""Biased matrix factorisation of ratings, by alternating least squares: the yardstick."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.content.content import unit_or_zero
from models.item_rows import by_item, over_items
from models.rating.rating_metric import rmse
from models.rating.rating_model import cold_pairs, pair_products, products, rating_figures
from models.rating.rating_scale import RatingScale, rated_columns, rating_scale
from models.rating.ridge_kernel import ridge_rows


@dataclass(frozen=True)
class BiasedMF:
    """Rating = mean + user bias + item bias + user factors · item factors.

    A user's bias and factors are solved for from their row, so that new ones are served too.
    """

    factors: Float[np.ndarray, "n_items n_factors"]
    bias: Float[np.ndarray, " n_items"]
    mean: float
    l2: float  # per rating
    scale: RatingScale
    rated: Bool[np.ndarray, " n_items"]
    best_epoch: int = 0
    consumes: ClassVar[str] = "ratings"

    def encode(self, R: sp.csr_array) -> Float[np.ndarray, "batch n_weights"]:
        """Return factors, a 1 for the item's bias, and the row's bias and the mean, float32."""
        left = _less(R, self.mean + self.bias.astype(np.float64)[R.indices])
        w = ridge_rows(left, _with_one(self.factors), *_ridge(self.l2, self._rank))
        ones = np.ones((R.shape[0], 1))
        return np.hstack([w[:, :-1], ones, w[:, -1:] + self.mean]).astype(np.float32)

    @cached_property
    def decoder(self) -> Float[np.ndarray, "n_items n_weights"]:
        """Return item factors, the item's bias and a 1."""
        return _with_one(np.hstack([self.factors, self.bias[:, None]]))

    @cached_property
    def vectors(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return the item factors with unit rows."""
        return unit_or_zero(self.factors)

    def predict_ratings(
        self, R: sp.csr_array, row: Int[np.ndarray, " n_pairs"], item: Int[np.ndarray, " n_pairs"]
    ) -> Float[np.ndarray, " n_pairs"]:
        """Return the rating that each row would give each item, see RatingModel."""
        values = pair_products(self.encode, self.decoder, R, row, item)
        return self.scale.kept(values, cold_pairs(R, row, item, self.rated))

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "BiasedMF":
        """Return the model over at least as many items; others have no factors and no rating."""
        return replace(
            self, factors=over_items(self.factors, known), bias=over_items(self.bias, known),
            rated=over_items(self.rated, known),
        )  # fmt: skip

    @property
    def _rank(self) -> int:
        return int(self.factors.shape[1])


@dataclass(frozen=True)
class BiasedMFState:
    """A fit after an epoch: where it goes on, to the bit, and its best epoch so far."""

    last: BiasedMF
    best: BiasedMF
    epoch: int
    best_rmse: float


def fit_biased_mf(
    R: sp.csr_array,
    *,
    n_factors: int,
    l2: float,
    n_epochs: int,
    seed: int,
    patience: int | None = None,
    validation: tuple[sp.csr_array, sp.csr_array] | None = None,
    lowest: float | None = None,
    highest: float | None = None,
    fallback: float | None = None,
    on_epoch: Callable[[int, dict[str, float], BiasedMFState], None] | None = None,
    resume: BiasedMFState | None = None,
) -> BiasedMF:
    """Return biased matrix factorisation.

    Reference: Koren, Bell and Volinsky, IEEE Computer 42(8), 2009, doi:10.1109/MC.2009.263; the
    ridge grows with the number of ratings as in Zhou et al., AAIM 2008.

    Args:
        R: ratings, shape (n_users, n_items); every stored entry is one.
        n_factors: rank.
        l2: ridge weight on factors and biases of a user or an item, per rating of theirs.
        n_epochs: passes over users and items.
        seed: of the start.
        patience: epochs without a lower validation rmse before the fit stops.
        validation: rows and other ratings of the same rows; by default the last epoch is best.
        lowest: see rating_scale; likewise highest and fallback.
        highest: of the scale.
        fallback: of users and items without ratings.
        on_epoch: called after every epoch with its number (from 1), figures and state.
        resume: where to go on; the result is that of an uninterrupted fit, to the bit.

    Raises:
        ValueError: l2 is not positive, or as rating_scale.
    """
    if l2 <= 0:
        raise ValueError(f"l2 must be positive, got {l2}")
    scale = rating_scale(R, lowest=lowest, highest=highest, fallback=fallback)
    columns = by_item(R)
    validate = rating_figures(validation)
    state = resume or _start(R, scale, n_factors, l2, seed)
    while state.epoch < n_epochs and not _is_stale(state, patience):
        model, loss = _improved(state.last, R, columns)
        figures = {} if validate is None else validate(model)
        state = _advance(state, model, figures)
        if on_epoch is not None:
            on_epoch(state.epoch, {"loss": loss} | figures, state)
    return state.best


def _start(R: sp.csr_array, scale: RatingScale, rank: int, l2: float, seed: int) -> BiasedMFState:
    rng = np.random.default_rng(seed)
    factors = (0.1 * rng.standard_normal((R.shape[1], rank))).astype(np.float32)
    mean = float(R.data.mean(dtype=np.float64))
    bias = np.zeros(R.shape[1], np.float32)
    model = BiasedMF(factors, bias, mean, l2, scale, rated_columns(R))
    return BiasedMFState(model, model, 0, np.inf)


def _improved(model: BiasedMF, R: sp.csr_array, columns: sp.csr_array) -> tuple[BiasedMF, float]:
    """Solve for the users, then for the items; return what rmse both leave."""
    users = model.encode(R)
    user_bias = users[:, -1].astype(np.float64)  # with the mean
    left = _less(columns, user_bias[columns.indices])
    w = ridge_rows(left, _with_one(users[:, :-2]), *_ridge(model.l2, users.shape[1] - 2))
    factors, bias = w[:, :-1].astype(np.float32), w[:, -1].astype(np.float32)
    better = replace(model, factors=factors, bias=bias)
    row = np.repeat(np.arange(R.shape[0]), np.diff(R.indptr))
    return better, rmse(products(users, better.decoder, row, R.indices), R.data)


def _advance(state: BiasedMFState, model: BiasedMF, figures: dict[str, float]) -> BiasedMFState:
    epoch = state.epoch + 1
    model = replace(model, best_epoch=epoch)
    error = figures.get("rmse")
    if error is None:
        return BiasedMFState(model, model, epoch, np.inf)
    if error < state.best_rmse:
        return BiasedMFState(model, model, epoch, error)
    return BiasedMFState(model, state.best, epoch, state.best_rmse)


def _is_stale(state: BiasedMFState, patience: int | None) -> bool:
    return patience is not None and state.epoch - state.best.best_epoch >= patience


def _ridge(l2: float, rank: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(rank + 1), np.full(rank + 1, l2)


def _less(R: sp.csr_array, offset: np.ndarray) -> sp.csr_array:
    return sp.csr_array(((R.data - offset).astype(np.float32), R.indices, R.indptr), shape=R.shape)


def _with_one(H: np.ndarray) -> np.ndarray:
    return np.hstack([H, np.ones((len(H), 1), dtype=H.dtype)])
