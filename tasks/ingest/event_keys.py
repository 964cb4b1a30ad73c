"""Keys of the event ids of a log."""

import polars as pl

from models.event.event_key import keys_of_integers, keys_of_strings
from tasks.string_bytes import string_bytes


def event_keys(ids: pl.Series) -> pl.Series:
    """Return the key of every event id, uint64; 0 where there is none."""
    if ids.dtype == pl.Null:
        return pl.zeros(len(ids), dtype=pl.UInt64, eager=True)
    known = ids.is_not_null()
    if ids.dtype.is_integer():
        keys = keys_of_integers(ids.fill_null(0).to_numpy())
    else:
        text = ids.cast(pl.String).fill_null("")
        known &= text != ""
        keys = keys_of_strings(*string_bytes(text))
    return pl.Series("event_key", keys).zip_with(known, pl.zeros(1, dtype=pl.UInt64, eager=True))
