"""Every rule of the published tables has a failing row, next to rows that pass."""

from datetime import date

import numpy as np
import pandera.polars as pa
import polars as pl
import pytest

from data_contracts.item_embeddings import item_embeddings_schema
from data_contracts.rating_predictions import rating_predictions_schema
from data_contracts.short_lists import short_lists_schema
from data_contracts.similar_items import similar_items_schema
from data_contracts.top_n import top_n_schema

STAMP = [
    pl.lit(date(2026, 9, 28)).alias("run_date"),
    pl.lit("3").alias("model_version"),
    pl.lit("s1").alias("snapshot_id"),
]


def top_n() -> pl.DataFrame:
    """Two users, the second one without a reason."""
    types = {"rank": pl.Int32, "score": pl.Float32, "because_share": pl.Float32}
    return pl.DataFrame(
        {
            "user_id": ["ann", "ann", "bob"],
            "rank": [1, 2, 1],
            "item_id": ["kettle", "pan", "kettle"],
            "score": [0.9, 0.5, 7.0],
            "source": ["model", "model", "popular"],
            "because_item_id": ["pot", "pot", None],
            "because_share": [1.0, 0.4, None],
            "short_reason": [None, None, "seen"],
        },
        schema_overrides=types,
    ).with_columns(STAMP)


def similar_items() -> pl.DataFrame:
    """Two items and their neighbours."""
    return pl.DataFrame(
        {
            "item_id": [1, 1, 2],
            "rank": [1, 2, 1],
            "similar_item_id": [2, 3, 1],
            "score": [0.9, -0.5, 0.9],
            "source": ["model", "model", "content"],
        },
        schema_overrides={"rank": pl.Int32, "score": pl.Float32},
    ).with_columns(STAMP)


def short_lists() -> pl.DataFrame:
    """A list of one item, and one of none."""
    return pl.DataFrame(
        {"user_id": ["ann", "bob"], "n_items": [1, 0], "short_reason": ["seen", "catalogue"]},
        schema_overrides={"n_items": pl.Int32},
    ).with_columns(STAMP)


def item_embeddings() -> pl.DataFrame:
    """Two items in the plane."""
    vectors = np.array([[1.0, 0.0], [0.6, -0.8]], dtype=np.float32)
    return pl.DataFrame(
        {
            "item_id": ["kettle", "pan"],
            "vector": pl.Series(vectors, dtype=pl.Array(pl.Float32, 2)),
            "n_interactions": [4, 1],
            "model_version": "3",
        }
    )


def rating_predictions() -> pl.DataFrame:
    """A rating, and the usual one of an item that nobody has rated."""
    return pl.DataFrame(
        {
            "user_id": ["ann", "ann"],
            "item_id": ["kettle", "pan"],
            "rating": [4.5, 3.0],
            "reason": [None, "cold_item"],
        },
        schema_overrides={"rating": pl.Float32},
    ).with_columns(STAMP)


SCHEMAS = {
    top_n: top_n_schema("string", "string"),
    short_lists: short_lists_schema("string"),
    similar_items: similar_items_schema("integer"),
    item_embeddings: item_embeddings_schema("string", 2),
    rating_predictions: rating_predictions_schema("string", "string"),
}
BREAKS = [
    (top_n, {"user_id": ""}, "not_empty"),
    (top_n, {"user_id": None}, "not_nullable"),
    (top_n, {"rank": 0}, "rank_from_one"),
    (top_n, {"rank": 2}, "unique_user_id_and_rank"),
    (top_n, {"item_id": "pan"}, "unique_user_id_and_item_id"),
    (top_n, {"item_id": None}, "not_nullable"),
    (top_n, {"score": float("inf")}, "finite"),
    (top_n, {"score": None}, "not_nullable"),
    (top_n, {"source": "editor"}, "known_value"),
    (top_n, {"short_reason": "tired"}, "known_value"),
    (short_lists, {"user_id": "bob"}, "unique_user_id"),
    (short_lists, {"n_items": -1}, "from_zero"),
    (short_lists, {"short_reason": "tired"}, "known_value"),
    (short_lists, {"short_reason": None}, "not_nullable"),
    (similar_items, {"source": "popular"}, "known_value"),
    (top_n, {"because_item_id": None}, "because_both_or_neither"),
    (top_n, {"because_share": None}, "because_both_or_neither"),
    (top_n, {"because_share": 0.0}, "share_above_0_up_to_1"),
    (top_n, {"because_share": 1.1}, "share_above_0_up_to_1"),
    (top_n, {"because_share": float("nan")}, "share_above_0_up_to_1"),
    (top_n, {"run_date": None}, "not_nullable"),
    (top_n, {"model_version": ""}, "not_empty"),
    (top_n, {"snapshot_id": None}, "not_nullable"),
    (similar_items, {"rank": 0}, "rank_from_one"),
    (similar_items, {"rank": 2}, "unique_item_id_and_rank"),
    (similar_items, {"similar_item_id": 3}, "unique_item_id_and_similar_item_id"),
    (similar_items, {"similar_item_id": 1}, "another_item"),
    (similar_items, {"score": float("-inf")}, "finite"),
    (rating_predictions, {"item_id": "pan"}, "unique_user_id_and_item_id"),
    (rating_predictions, {"rating": float("inf")}, "finite"),
    (rating_predictions, {"reason": "tired"}, "known_value"),
    (rating_predictions, {"user_id": None}, "not_nullable"),
    (item_embeddings, {"item_id": "pan"}, "unique_item_id"),
    (item_embeddings, {"vector": [0.0, 0.0]}, "unit_length"),
    (item_embeddings, {"vector": [0.8, 0.8]}, "unit_length"),
    (item_embeddings, {"vector": [float("nan"), 0.0]}, "unit_length"),
    (item_embeddings, {"n_interactions": 0}, "at_least_one"),
]


def with_first_row(frame: pl.DataFrame, values: dict[str, object]) -> pl.DataFrame:
    """Change some values of the first row, and no type."""
    rows = frame.rows(named=True)
    return pl.DataFrame([rows[0] | values, *rows[1:]], schema=frame.schema)


@pytest.mark.parametrize("table", SCHEMAS)
def test_good_rows_pass(table):
    """Each table in its plain form keeps its contract."""
    assert SCHEMAS[table].validate(table(), lazy=True).equals(table())


@pytest.mark.parametrize(("table", "values", "rule"), BREAKS)
def test_one_bad_row_breaks_its_rule_only(table, values, rule):
    """A single wrong value is found, by the rule made for it."""
    with pytest.raises(pa.errors.SchemaErrors, match=rule) as caught:
        SCHEMAS[table].validate(with_first_row(table(), values), lazy=True)
    assert set(caught.value.failure_cases["check"]) == {rule}


def test_a_score_that_is_no_number_is_refused():
    """Not a number breaks two rules: it counts as missing, too."""
    frame = with_first_row(top_n(), {"score": float("nan")})
    with pytest.raises(pa.errors.SchemaErrors, match="finite"):
        SCHEMAS[top_n].validate(frame, lazy=True)


@pytest.mark.parametrize("table", [top_n, similar_items, item_embeddings])
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda frame: frame.drop("model_version"), "column_in_dataframe"),
        (lambda frame: frame.with_columns(extra=1), "column_in_schema"),
        (lambda frame: frame.select(sorted(frame.columns, reverse=True)), "column_ordered"),
        (lambda frame: frame.cast({"item_id": pl.Categorical}, strict=False), "dtype"),
    ],
)
def test_columns_are_fixed(table, change, rule):
    """Another set, order or type of columns is refused."""
    frame = table().with_columns(pl.col("item_id").cast(pl.String)) if rule == "dtype" else table()
    with pytest.raises(pa.errors.SchemaErrors, match=rule):
        SCHEMAS[table].validate(change(frame), lazy=True)


@pytest.mark.parametrize("schema", SCHEMAS.values())
def test_everything_is_described(schema):
    """Analysts can read what a table and each of its columns mean."""
    assert schema.description.endswith(".")
    for column in schema.columns.values():
        assert column.description.endswith(".")
        assert len(column.description) > 15


def test_integer_ids_stay_integers():
    """Each id column follows the type of its own log column."""
    columns = top_n_schema("integer", "string").columns
    assert columns["user_id"].dtype.type == pl.Int64
    assert columns["item_id"].dtype.type == columns["because_item_id"].dtype.type == pl.String
