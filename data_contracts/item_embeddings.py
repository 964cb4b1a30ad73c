"""The table item_embeddings: the items as the model sees them."""

import pandera.polars as pa
import polars as pl

from data_contracts.id_type import IdType
from data_contracts.table_column import (
    N_CASES,
    id_column,
    text_column,
    unique_together,
)

TOLERANCE = 1e-3  # of the length of a vector


def item_embeddings_schema(item_id_type: IdType, n_factors: int) -> pa.DataFrameSchema:
    """Return the contract of item_embeddings for ids of this type; validate eager frames only.

    Only items with interactions are published, so every vector has unit length.
    """
    unit = pa.Check(_has_unit_length, name="unit_length", n_failure_cases=N_CASES)
    met = pa.Check.ge(1, error="at_least_one", n_failure_cases=N_CASES)
    columns = {
        "item_id": id_column(item_id_type, "Item, as in the log."),
        "vector": pa.Column(
            pl.Array(pl.Float32, n_factors),
            unit,
            description="Embedding of unit length; the dot product of two is their cosine.",
        ),
        "n_interactions": pa.Column(
            pl.Int64, met, description="Users with this item in the model's training data."
        ),
        "model_version": text_column("Version of the model in the registry."),
    }
    return pa.DataFrameSchema(
        columns,
        checks=[unique_together("item_id")],
        strict=True,
        ordered=True,
        name="item_embeddings",
        description="The vector of every item the model was trained on: one row per item.",
    )


def _has_unit_length(data: pa.PolarsData) -> pl.LazyFrame:
    squares = pl.col(data.key).arr.eval(pl.element().pow(2)).arr.sum()
    return data.lazyframe.select((squares.sqrt() - 1.0).abs() <= TOLERANCE)
