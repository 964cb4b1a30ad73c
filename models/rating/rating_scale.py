"""The scale of ratings: what is refused, how predictions are kept on it, what stands for none."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float


class RatingScale(NamedTuple):
    """Lowest and highest rating, and what is predicted where nothing is known.

    In a matrix of ratings every stored entry is a rating, also a stored 0; an entry that is not
    stored is no rating.
    """

    lowest: float
    highest: float
    fallback: float  # of a user or an item without a rating

    def kept(
        self, values: Float[np.ndarray, " n_pairs"], cold: Bool[np.ndarray, " n_pairs"]
    ) -> Float[np.ndarray, " n_pairs"]:
        """Return predictions clipped to the scale, the fallback where they are cold; float32."""
        clipped = np.clip(values, self.lowest, self.highest)
        return np.where(cold, self.fallback, clipped).astype(np.float32)


def rating_scale(
    R: sp.csr_array,
    *,
    lowest: float | None = None,
    highest: float | None = None,
    fallback: float | None = None,
) -> RatingScale:
    """Return the scale of some ratings.

    Args:
        R: ratings that teach, shape (n_users, n_items).
        lowest: of the scale; by default the lowest rating of R.
        highest: likewise.
        fallback: prediction for a user or an item without a rating, by default the mean of R.
            Sedhain et al. (WWW 2015) take 3 on a scale from 1 to 5.

    Raises:
        ValueError: there is no rating, one is not finite or off the scale, or the fallback is.
    """
    if not R.nnz:
        raise ValueError("a model of ratings must be given ratings, got none")
    if not np.isfinite(R.data).all():
        raise ValueError(f"every rating must be finite, got {R.data[~np.isfinite(R.data)][0]}")
    least, most = float(R.data.min()), float(R.data.max())
    mean = float(R.data.mean(dtype=np.float64))
    scale = RatingScale(
        least if lowest is None else lowest,
        most if highest is None else highest,
        mean if fallback is None else fallback,
    )
    off = [each for each in (least, most, scale.fallback) if not scale.lowest <= each]
    off += [each for each in (least, most, scale.fallback) if not each <= scale.highest]
    if off:
        raise ValueError(
            f"ratings must lie between {scale.lowest} and {scale.highest}, got {off[0]}: "
            "set lowest and highest to the ends of the scale"
        )
    return scale


def rated_columns(R: sp.csr_array) -> Bool[np.ndarray, " n_columns"]:
    """Tell which columns hold a rating."""
    return np.asarray(np.bincount(R.indices, minlength=R.shape[1]) > 0)
