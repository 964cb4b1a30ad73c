"""The table similar_items: what to show next to what."""

import pandera.polars as pa
import polars as pl

from data_contracts.id_type import IdType
from data_contracts.table_column import (
    N_CASES,
    id_column,
    rank_column,
    score_column,
    stamp_columns,
    text_column,
    unique_together,
)

SOURCES = ("model", "content")
BY_VECTORS = "Cosine of the two items' embeddings, or of their texts."
BY_WEIGHTS = "The model's weight from the item to the similar one, or the cosine of their texts."


def similar_items_schema(item_id_type: IdType, score: str = BY_VECTORS) -> pa.DataFrameSchema:
    """Return the contract of similar_items for ids of this type; validate eager frames only.

    Args:
        item_id_type: of both columns of ids.
        score: what a score is, in the words of the table's description.
    """
    columns = {
        "item_id": id_column(item_id_type, "Item the list belongs to, as in the log."),
        "rank": rank_column("Place in the item's list, from 1 (most similar)."),
        "similar_item_id": id_column(item_id_type, "Similar item, as in the log."),
        "score": score_column(score),
        "source": text_column(
            "Who likened them: model, or content for an item the model has not met.", *SOURCES
        ),
        **stamp_columns(),
    }
    return pa.DataFrameSchema(
        columns,
        checks=[
            unique_together("item_id", "rank"),
            unique_together("item_id", "similar_item_id"),
            pa.Check(_another_item, name="another_item", n_failure_cases=N_CASES),
        ],
        strict=True,
        ordered=True,
        name="similar_items",
        description="The items most like every item: one row per item and rank.",
    )


def _another_item(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col("item_id") != pl.col("similar_item_id"))
