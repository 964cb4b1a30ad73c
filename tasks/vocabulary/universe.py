"""All items that a night may list: those of the log, then those only the catalogue knows."""

import polars as pl
import scipy.sparse as sp

from data_contracts.manifests import MatrixManifest
from tasks.catalogue import read_catalogue
from tasks.lake import Night
from tasks.vocabulary.vocabulary import items_of


def item_universe(night: Night, matrices: MatrixManifest) -> pl.Series:
    """Return the ids of all items; the first ``matrices.n_items`` are the vocabulary's.

    An item that nobody has met belongs to them from the day on that the catalogue calls added,
    so that a night of the past does not list what came after it.
    """
    known = items_of(night.lake, matrices)
    catalogue = read_catalogue(night, only=["added"])
    day = pl.col("added").dt.convert_time_zone(night.config.interactions.time_zone).dt.date()
    listed = catalogue.filter((day <= night.run_date).fill_null(value=True))["item_id"]
    if not len(listed):
        return known
    new = listed.filter(~listed.is_in(known.implode())).sort()
    return pl.concat([known, new.cast(known.dtype)])


def widened(X: sp.csr_array, n_items: int) -> sp.csr_array:
    """Return X over more items, its arrays shared."""
    return sp.csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], n_items), copy=False)
