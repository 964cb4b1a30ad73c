"""The table top_n: what to show to whom."""

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

SOURCES = ("model", "content", "popular_in_segment", "popular", "newest")


SHORT_REASONS = (
    "catalogue",  # fewer items may be shown to anybody like the user
    "allow_list",  # the user's own allow list leaves fewer
    "seen",  # the user has seen the rest, or is not to be shown it
    "category_caps",  # what is left belongs to categories that are full
    "sources",  # neither the model nor a fallback of the surface knows more
)


def top_n_schema(user_id_type: IdType, item_id_type: IdType) -> pa.DataFrameSchema:
    """Return the contract of top_n for ids of these types; validate eager frames only."""
    share = pa.Check.in_range(
        0.0, 1.0, include_min=False, error="share_above_0_up_to_1", n_failure_cases=N_CASES
    )
    because = "Item of the user's history that contributed most to the score; null if none did."
    columns = {
        "user_id": id_column(user_id_type, "User the list is for, as in the log."),
        "rank": rank_column("Place in the user's list, from 1 (best)."),
        "item_id": id_column(item_id_type, "Recommended item, as in the log; new to the user."),
        "score": score_column("Score behind the rank; comparable within one user and source only."),
        "source": text_column(
            "Who put the item there: model, content for one that nobody has met, or what filled a "
            "place the model left empty.",
            *SOURCES,
        ),
        "because_item_id": id_column(item_id_type, because, nullable=True),
        "because_share": pa.Column(
            pl.Float32,
            share,
            nullable=True,
            description="Share of the score that because_item_id contributed, above 0 and up to 1.",
        ),
        "short_reason": text_column(
            "Why the list is shorter than the surface asks; null where it is not.",
            *SHORT_REASONS,
            nullable=True,
        ),
        **stamp_columns(),
    }
    return pa.DataFrameSchema(
        columns,
        checks=[
            unique_together("user_id", "rank"),
            unique_together("user_id", "item_id"),
            pa.Check(_both_or_neither, name="because_both_or_neither", n_failure_cases=N_CASES),
        ],
        strict=True,
        ordered=True,
        name="top_n",
        description="The best items for every user: one row per user and rank, by surface.",
    )


def _both_or_neither(data: pa.PolarsData) -> pl.LazyFrame:
    item, share = pl.col("because_item_id"), pl.col("because_share")
    return data.lazyframe.select(item.is_null() == share.is_null())
