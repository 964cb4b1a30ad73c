"""Which items may be recommended tonight."""

import numpy as np
import polars as pl

from tasks.catalogue import read_catalogue
from tasks.lake import Night


def unavailable_items(night: Night) -> pl.Series:
    """Return the ids that the catalogue calls unavailable."""
    return read_catalogue(night).filter(~pl.col("available"))["item_id"]


def available_mask(night: Night, item_ids: pl.Series) -> np.ndarray:
    """Tell for every item of the vocabulary whether it is available; shape (n_items,).

    An item the catalogue does not mention is available.
    """
    return ~item_ids.is_in(unavailable_items(night).to_list()).to_numpy()
