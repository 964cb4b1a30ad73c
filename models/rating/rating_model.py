"""What every model of ratings answers: the ratings of given pairs, from the rows alone."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.rating.rating_metric import mae, rmse
from models.rating.rating_scale import RatingScale

_ROWS = 2048  # encoded at once
_PAIRS = 65_536  # multiplied at once


@runtime_checkable
class RatingModel(Protocol):
    """A fitted model of ratings."""

    @property
    def scale(self) -> RatingScale:
        """Return what its predictions are kept on."""

    def predict_ratings(
        self,
        R: sp.csr_array,
        row: Int[np.ndarray, " n_pairs"],
        item: Int[np.ndarray, " n_pairs"],
    ) -> Float[np.ndarray, " n_pairs"]:
        """Return the rating that each row would give each item, float32, on the scale.

        Args:
            R: the rows' own ratings, shape (n_rows, n_items); all that is known of them. What is
                asked must not be stored in it, or the model is shown the answer.
            row: row of R per pair.
            item: item per pair.
        """


def pair_products(
    encode: Callable[[sp.csr_array], Float[np.ndarray, "n_rows n_factors"]],
    decoder: Float[np.ndarray, "n_items n_factors"],
    R: sp.csr_array,
    row: Int[np.ndarray, " n_pairs"],
    item: Int[np.ndarray, " n_pairs"],
) -> Float[np.ndarray, " n_pairs"]:
    """Return encode(R)[row] · decoder[item], float64, without an array of rows x items."""
    values = np.empty(len(row))
    order = np.argsort(row, kind="stable")
    for some in _by_rows(row[order]):
        place = order[some]
        asked, at = np.unique(row[place], return_inverse=True)
        E = encode(R[asked]).astype(np.float64)
        values[place] = products(E, decoder, at, item[place])
    return values


def products(
    E: Float[np.ndarray, "n_rows n_factors"],
    decoder: Float[np.ndarray, "n_items n_factors"],
    row: Int[np.ndarray, " n_pairs"],
    item: Int[np.ndarray, " n_pairs"],
) -> Float[np.ndarray, " n_pairs"]:
    """Return E[row] · decoder[item], float64, some pairs at a time."""
    values = np.empty(len(row))
    for start in range(0, len(row), _PAIRS):
        some = slice(start, start + _PAIRS)
        pairs = E[row[some]], decoder[item[some]]
        values[some] = np.einsum("ij,ij->i", *pairs, dtype=np.float64)
    return values


def cold_pairs(
    R: sp.csr_array,
    row: Int[np.ndarray, " n_pairs"],
    item: Int[np.ndarray, " n_pairs"],
    rated: Bool[np.ndarray, " n_items"],
) -> Bool[np.ndarray, " n_pairs"]:
    """Tell the pairs whose row holds no rating, or whose item had none in training."""
    return np.asarray((np.diff(R.indptr) == 0)[row] | ~rated[item])


def rating_figures(
    validation: tuple[sp.csr_array, sp.csr_array] | None,
) -> Callable[[RatingModel], dict[str, float]] | None:
    """Return what judges a fitted model by held-out ratings: rmse and mae over all of them.

    Args:
        validation: what the rows are known by, and other ratings of the same rows.
    """
    if validation is None:
        return None
    shown, asked = validation
    row = np.repeat(np.arange(asked.shape[0]), np.diff(asked.indptr))

    def validate(model: RatingModel) -> dict[str, float]:
        predicted = model.predict_ratings(shown, row, asked.indices).astype(np.float64)
        observed = asked.data.astype(np.float64)
        return {"rmse": rmse(predicted, observed), "mae": mae(predicted, observed)}

    return validate


def _by_rows(row: np.ndarray) -> list[slice]:
    """Cut sorted pairs into runs of few pairs and few rows."""
    slices, start = [], 0
    while start < len(row):
        end = int(np.searchsorted(row, row[start] + _ROWS))
        end = min(end, start + _PAIRS)
        slices.append(slice(start, end))
        start = end
    return slices
