"""Tell which events are told a second time."""

import polars as pl

from data_contracts.interactions import EVENT


def repeats(events: pl.DataFrame) -> pl.Series:
    """Tell for every row whether the same event stands above it; shape (n_rows,) bool.

    Rows are first compared by a 64-bit hash, and only those that share one by their values.
    """
    candidates = events.select(pl.struct(EVENT).hash().is_duplicated()).to_series()
    if not candidates.any():
        return candidates
    places = candidates.arg_true()
    distinct = events[places].select(pl.struct(EVENT).is_first_distinct()).to_series()
    return candidates.scatter(places.filter(distinct), values=False)
