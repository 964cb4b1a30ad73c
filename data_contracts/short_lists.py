"""The table short_lists: whose list is shorter than its surface asks, and why."""

import pandera.polars as pa
import polars as pl

from data_contracts.id_type import IdType
from data_contracts.table_column import (
    N_CASES,
    id_column,
    stamp_columns,
    text_column,
    unique_together,
)
from data_contracts.top_n import SHORT_REASONS


def short_lists_schema(user_id_type: IdType) -> pa.DataFrameSchema:
    """Return the contract of short_lists for ids of this type; validate eager frames only."""
    counted = pa.Check.ge(0, error="from_zero", n_failure_cases=N_CASES)
    columns = {
        "user_id": id_column(user_id_type, "User the list is for, as in the log."),
        "n_items": pa.Column(pl.Int32, counted, description="Items in the list; may be 0."),
        "short_reason": text_column("Why there are no more.", *SHORT_REASONS),
        **stamp_columns(),
    }
    return pa.DataFrameSchema(
        columns,
        checks=[unique_together("user_id")],
        strict=True,
        ordered=True,
        name="short_lists",
        description="Lists of top_n with fewer items than asked: one row per user; "
        "a folder per surface.",
    )
