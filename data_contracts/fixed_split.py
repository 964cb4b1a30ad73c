"""The contract of a fixed split: two files of who had what, with ids of the same types."""

import pandera.polars as pa
import polars as pl

from data_contracts.id_type import IdType
from data_contracts.model_config import Consumed
from data_contracts.table_column import id_column, score_column

PAIR = ("user_id", "item_id")
RATING, TIMESTAMP = "rating", "timestamp"
FOR_ROWS: dict[Consumed, tuple[str, ...]] = {
    "weights": (), "ratings": (RATING,), "order": (TIMESTAMP,),
}  # fmt: skip
"""What a file must hold besides its pairs, by what a kind of model consumes."""


def fixed_split_schema(
    name: str, user_id_type: IdType, item_id_type: IdType, more: tuple[str, ...] = ()
) -> pa.DataFrameSchema:
    """Return the contract of one file's pairs; further columns are dropped before.

    Args:
        name: of the file.
        user_id_type: of its users.
        item_id_type: of its items.
        more: the columns rating and timestamp, as far as a kind of model needs them.
    """
    columns = {
        "user_id": id_column(user_id_type, "Who."),
        "item_id": id_column(item_id_type, "What they had."),
        RATING: score_column("How they liked it, a finite number."),
        TIMESTAMP: pa.Column(pl.Int64, description="When, as a number that grows with time."),
    }
    kept = {each: column for each, column in columns.items() if each in (*PAIR, *more)}
    return pa.DataFrameSchema(kept, strict=True, ordered=True, name=name)
