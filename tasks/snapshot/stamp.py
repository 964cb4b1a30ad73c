"""What every row of a snapshot carries."""

from datetime import date
from typing import NamedTuple

import polars as pl


class Stamp(NamedTuple):
    """Where a row comes from."""

    run_date: date
    model_version: str
    snapshot_id: str

    def columns(self) -> list[pl.Expr]:
        """The stamp as constant columns."""
        return [
            pl.lit(self.run_date).alias("run_date"),
            pl.lit(self.model_version).alias("model_version"),
            pl.lit(self.snapshot_id).alias("snapshot_id"),
        ]
