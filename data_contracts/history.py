"""The contracts of a history shard: one row per user and item, and the last events beside it."""

import pandera.polars as pa
import polars as pl

from data_contracts.id_type import IdType
from data_contracts.table_column import id_column, text_column, unique_together


def history_schema(user_id_type: IdType, item_id_type: IdType) -> pa.DataFrameSchema:
    """Return the contract of a history shard; validate eager frames only."""
    weight = pa.Check.ge(0.0, n_failure_cases=10)
    return pa.DataFrameSchema(
        {
            "user_id": id_column(user_id_type, "Who."),
            "item_id": id_column(item_id_type, "What."),
            "weight": pa.Column(
                pl.Float32, weight, description="Event weights, decayed from the run date, capped."
            ),
            "weight_before_cut": pa.Column(
                pl.Float32, weight, description="The same of the events before the held-out days."
            ),
            "first_seen": pa.Column(pl.Datetime("us", "UTC"), description="First event."),
            "last_seen": pa.Column(pl.Datetime("us", "UTC"), description="Last event."),
            "n_events": pa.Column(pl.UInt32, pa.Check.ge(1), description="Events."),
            "value": pa.Column(
                pl.Float32,
                required=False,
                nullable=True,
                description="Rating of the last event, where the log has ratings.",
            ),
        },
        strict=True,
        ordered=True,
        name="history",
        description="What every user did with every item, as of the run date.",
    )


def last_events_schema(user_id_type: IdType, item_id_type: IdType) -> pa.DataFrameSchema:
    """Return the contract of a shard of last events; validate eager frames only."""
    return pa.DataFrameSchema(
        {
            "user_id": id_column(user_id_type, "Who."),
            "item_id": id_column(item_id_type, "What."),
            "event_type": text_column("Which kind of event."),
            "last_day": pa.Column(pl.Date, description="Day of the last one, in the log's zone."),
        },
        checks=[unique_together("user_id", "item_id", "event_type")],
        strict=True,
        ordered=True,
        name="last events",
        description="When every user last did what with every item, inside the window.",
    )
