"""An allow or block list of a surface, as the night reads it."""

import pandera.polars as pa
import polars as pl

from data_contracts.id_type import IdType
from data_contracts.table_column import id_column, text_column


def item_list_schema(user_id_type: IdType, item_id_type: IdType) -> pa.DataFrameSchema:
    """Return the contract of a list for ids of these types; validate eager frames only."""
    own = pa.Check(_one_owner, name="user_or_segment")
    return pa.DataFrameSchema(
        {
            "item_id": id_column(item_id_type, "Item, as in the log."),
            "user_id": id_column(user_id_type, "Whom the row is for, if one user.", nullable=True),
            "segment": text_column("Whom the row is for, if one segment.", nullable=True),
        },
        checks=[own],
        strict=True,
        ordered=True,
        name="item list",
        description="Items that may be, or may not be, shown to everybody, a segment or a user.",
    )


def _one_owner(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col("user_id").is_null() | pl.col("segment").is_null())
