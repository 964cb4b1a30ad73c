"""The two types an id can have."""

from typing import Literal

import polars as pl

IdType = Literal["string", "integer"]


def id_type(ids: pl.Series) -> IdType:
    """Name the type of ids as the contracts do."""
    return "string" if ids.dtype == pl.String else "integer"
