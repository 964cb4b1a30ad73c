"""The catalogue of items, as the night reads it."""

import pandera.polars as pa
import polars as pl

from data_contracts.table_column import IdType, id_column, unique_together


def catalogue_schema(item_id_type: IdType) -> pa.DataFrameSchema:
    """Return the contract of the catalogue for ids of this type; validate eager frames only."""
    columns = {
        "item_id": id_column(item_id_type, "Item, as in the log."),
        "title": pa.Column(pl.String, nullable=True, description="What people read."),
        "category": pa.Column(pl.String, nullable=True, description="One category of the item."),
        "available": pa.Column(pl.Boolean, description="False keeps the item out of every list."),
    }
    return pa.DataFrameSchema(
        columns,
        checks=[unique_together("item_id")],
        strict=True,
        ordered=True,
        name="catalogue",
        description="What may be recommended and how it is called: one row per item.",
    )
