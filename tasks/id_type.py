"""The two types an id can have."""

import polars as pl

from data_contracts.id_type import IdType


def id_type(ids: pl.Series) -> IdType:
    """Name the type of ids as the contracts do."""
    return "string" if ids.dtype == pl.String else "integer"
