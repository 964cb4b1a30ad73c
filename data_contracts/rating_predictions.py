"""The table rating_predictions: how given users would rate given items; and the pairs asked."""

import pandera.polars as pa

from data_contracts.id_type import IdType
from data_contracts.table_column import (
    id_column,
    score_column,
    stamp_columns,
    text_column,
    unique_together,
)

COLD_REASONS = (
    "cold_user",  # the user has no other rating in the history
    "cold_item",  # the item had no rating when the model was trained
    "unknown",  # neither user nor item has one
)


def rating_pairs_schema(user_id_type: IdType, item_id_type: IdType) -> pa.DataFrameSchema:
    """Return the contract of the pairs that are asked; validate eager frames only."""
    return pa.DataFrameSchema(
        {
            "user_id": id_column(user_id_type, "Who would rate, as in the log."),
            "item_id": id_column(item_id_type, "What, as in the log."),
        },
        checks=[unique_together("user_id", "item_id")],
        strict=True,
        ordered=True,
        name="rating_predictions.pairs",
        description="Users and items whose ratings are asked: one row per pair.",
    )


def rating_predictions_schema(user_id_type: IdType, item_id_type: IdType) -> pa.DataFrameSchema:
    """Return the contract of rating_predictions for ids of these types; eager frames only."""
    columns = {
        "user_id": id_column(user_id_type, "User, as in the pairs that were asked."),
        "item_id": id_column(item_id_type, "Item, as in the pairs that were asked."),
        "rating": score_column(
            "Predicted rating, on the scale of the log's; the same for all pairs with a reason."
        ),
        "reason": text_column(
            "Why nothing could be told but the usual rating: cold_user without another rating, "
            "cold_item without one when the model was trained, unknown for both; else null.",
            *COLD_REASONS,
            nullable=True,
        ),
        **stamp_columns(),
    }
    return pa.DataFrameSchema(
        columns,
        checks=[unique_together("user_id", "item_id")],
        strict=True,
        ordered=True,
        name="rating_predictions",
        description="Ratings that the model predicts for given pairs: one row per user and item.",
    )
