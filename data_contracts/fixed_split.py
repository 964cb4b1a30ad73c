"""The contract of a fixed split: two files of who had what, with ids of the same types."""

import pandera.polars as pa

from data_contracts.id_type import IdType
from data_contracts.table_column import id_column

PAIR = ("user_id", "item_id")


def fixed_split_schema(name: str, user_id_type: IdType, item_id_type: IdType) -> pa.DataFrameSchema:
    """Return the contract of one file's pairs; further columns are dropped before."""
    columns = {
        "user_id": id_column(user_id_type, "Who."),
        "item_id": id_column(item_id_type, "What they had."),
    }
    return pa.DataFrameSchema(columns, strict=True, ordered=True, name=name)
