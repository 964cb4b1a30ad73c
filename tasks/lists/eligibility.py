"""Which items are available tonight, whatever the surface."""

import numpy as np
import polars as pl

from tasks.catalogue import read_catalogue
from tasks.lake import Night
from tasks.vocabulary.retirement import retired_mask


def unavailable_items(night: Night) -> pl.Series:
    """Return the ids that the catalogue calls unavailable."""
    return read_catalogue(night, only=["available"]).filter(~pl.col("available"))["item_id"]


def available_mask(night: Night, item_ids: pl.Series) -> np.ndarray:
    """Tell for every item whether it is available; shape (n_items,).

    An item the catalogue does not mention is available, unless it is retired.

    Args:
        night: whose catalogue and tombstones.
        item_ids: of the vocabulary, then of items only the catalogue knows.
    """
    gone = unavailable_items(night)
    sold_out = item_ids.is_in(gone.cast(item_ids.dtype).implode()).to_numpy()
    return ~(sold_out | retired_mask(night, len(item_ids)))
