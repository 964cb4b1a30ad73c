"""The table of users' segments, as the night reads it."""

import pandera.polars as pa

from data_contracts.id_type import IdType
from data_contracts.table_column import id_column, text_column, unique_together


def segments_schema(user_id_type: IdType) -> pa.DataFrameSchema:
    """Return the contract of the segments for ids of this type; validate eager frames only."""
    return pa.DataFrameSchema(
        {
            "user_id": id_column(user_id_type, "User, as in the log."),
            "segment": text_column("The user's segment."),
        },
        checks=[unique_together("user_id")],
        strict=True,
        ordered=True,
        name="segments",
        description="Which segment a user belongs to: one row per user, none for no segment.",
    )
