"""Content of items as one matrix: numbers, categories and words, embeddings, side by side.

Categories and words are counts of terms: models.content.text_vector weighs them and finds their
topics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from models.content.content import unit_or_zero

_LEAST_SPREAD = 1e-12  # of a number, relative to its size; below, it is the same for all items


@dataclass(frozen=True)
class NumberScale:
    """Turns numbers of items (price, year, pages) into comparable columns."""

    mean: Float[np.ndarray, " n_columns"]  # float64
    spread: Float[np.ndarray, " n_columns"]  # float64, positive; inf where a column tells nothing

    def vectors(
        self, values: Float[np.ndarray, "n_items n_columns"]
    ) -> Float[np.ndarray, "n_items n_columns"]:
        """Return (value - mean) / spread within ±3, float32; what is not known counts as the mean.

        Args:
            values: nan where not known.

        Raises:
            ValueError: a value is infinite.
        """
        if np.isinf(values).any():
            raise ValueError("numbers of items must be finite or nan, got inf")
        standard = (values - self.mean) / self.spread
        return np.clip(np.nan_to_num(standard, nan=0.0), -3.0, 3.0).astype(np.float32)


def fit_number_scale(values: Float[np.ndarray, "n_items n_columns"]) -> NumberScale:
    """Return mean and spread of every column, over the items where it is known.

    Raises:
        ValueError: a value is infinite.
    """
    if np.isinf(values).any():
        raise ValueError("numbers of items must be finite or nan, got inf")
    known = ~np.isnan(values)
    n_known = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, values, 0.0).astype(np.float64)
    mean = filled.sum(axis=0) / n_known
    spread = np.sqrt((np.where(known, filled - mean, 0.0) ** 2).sum(axis=0) / n_known)
    tells = spread > _LEAST_SPREAD * np.maximum(np.abs(mean), 1.0)
    return NumberScale(mean, np.where(tells, spread, np.inf))


def joined_content(
    blocks: Sequence[Float[np.ndarray, "n_items _"]],
    weights: Sequence[float] | None = None,
) -> Float[np.ndarray, "n_items n_dimensions"]:
    """Return blocks of columns side by side as unit rows, float32.

    Every block's rows are first brought to the length of its weight, so that the likeness of two
    items that all blocks know is the mean of the blocks' cosines, weighted by the squares. A block
    with a row of zeros knows nothing of that item and is left out for it.

    Args:
        blocks: one row an item in each.
        weights: positive, one a block; 1 by default.

    Raises:
        ValueError: there is no block, blocks differ in their rows, or a weight is not positive.
    """
    scales = [1.0] * len(blocks) if weights is None else list(weights)
    if len({len(each) for each in blocks}) != 1 or len(scales) != len(blocks):
        raise ValueError(
            "content must be blocks with the same items and a weight each, got "
            f"{[len(each) for each in blocks]} items and {len(scales)} weights"
        )
    if not all(scale > 0.0 for scale in scales):
        raise ValueError(f"weights of blocks must be positive, got {scales}")
    return unit_or_zero(
        np.hstack(
            [unit_or_zero(each) * scale for each, scale in zip(blocks, scales, strict=True)]
        ).astype(np.float32)
    )
