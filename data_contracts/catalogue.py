"""The catalogue of items, as the night reads it."""

from collections.abc import Collection

import pandera.polars as pa
import polars as pl

from data_contracts.id_type import IdType
from data_contracts.table_column import id_column, unique_together


def catalogue_schema(
    item_id_type: IdType, only: Collection[str] | None = None
) -> pa.DataFrameSchema:
    """Return the contract of the catalogue for ids of this type; validate eager frames only.

    Args:
        item_id_type: as in the log.
        only: columns that were read besides item_id; by default all.
    """
    columns = {
        "item_id": id_column(item_id_type, "Item, as in the log."),
        "title": pa.Column(pl.String, nullable=True, description="What people read."),
        "category": pa.Column(pl.String, nullable=True, description="One category of the item."),
        "text": pa.Column(pl.String, nullable=True, description="What the item is about."),
        "available": pa.Column(pl.Boolean, description="False keeps the item out of every list."),
        "added": pa.Column(
            pl.Datetime("us", "UTC"), nullable=True, description="When the item came."
        ),
    }
    kept = set(columns) if only is None else {"item_id", *only}
    return pa.DataFrameSchema(
        {name: column for name, column in columns.items() if name in kept},
        checks=[unique_together("item_id")],
        strict=True,
        ordered=True,
        name="catalogue",
        description="What may be recommended and how it is called: one row per item.",
    )
