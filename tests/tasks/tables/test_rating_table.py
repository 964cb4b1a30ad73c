"""The table rating_predictions: what the model says of the pairs, what is cold or refused."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from data_contracts.config import NightlyConfig, load_config
from data_contracts.errors import ConfigError, ContractViolationError
from data_contracts.rating_predictions import rating_predictions_schema
from models.popularity import Popularity
from models.rating.rating_bias import fit_rating_bias
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.history.row_values import RowValues
from tasks.ingest.ingest import ingest
from tasks.judging.contender import from_model
from tasks.snapshot.stamp import Stamp
from tasks.tables.rating_check import violations_of
from tasks.tables.rating_pairs import read_pairs
from tasks.tables.rating_table import predicts_ratings, write_rating_predictions
from tasks.tables.table_file import check_table
from tasks.vocabulary.vocabulary import items_of
from tests.tiny_lake import SCHEMA, at, night, write_day

STAMP = Stamp(run_date=date(2026, 9, 10), model_version="7", snapshot_id="s")
RATED = [
    ("ann", "tea", 5.0), ("ann", "cup", 4.0), ("bob", "tea", 4.0), ("bob", "pot", 1.0),
    ("cid", "cup", 2.0), ("dan", "pot", 0.0),
]  # fmt: skip
MODEL = {"kind": "rating_bias", "item_l2": 1.0, "user_l2": 1.0}


def lake_of(lake, pairs, **columns):
    """A night up to its matrices, and the pairs that are asked."""
    rows = [(user, item, "view", at(k), value) for k, (user, item, value) in enumerate(RATED)]
    write_day(lake, rows, schema=SCHEMA | {"stars": pl.Float64()})
    path = lake / "pairs.parquet"
    frame = pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row")
    frame.with_columns(**columns).write_parquet(path)
    tonight = night(
        lake, model=MODEL, history={"n_user_shards": 2},
        interactions={"columns": {"value": "stars"}},
        rating_predictions={"pairs": "pairs.parquet"},
    )  # fmt: skip
    return tonight, build_matrices(tonight, build_history(tonight, ingest(tonight)))


def predicted(lake, pairs, *, contender=None):
    """The table of some pairs, and what made it."""
    tonight, matrices = lake_of(lake, pairs)
    R = RowValues(tonight, matrices, "ratings").stacked("full")
    model = fit_rating_bias(R, item_l2=1.0, user_l2=1.0)
    counts = np.bincount(R.indices, minlength=R.shape[1])
    champion = contender or from_model(model, counts, n_items=R.shape[1] + 1, consumes="ratings")
    ids = items_of(lake, matrices)
    item_ids = pl.concat([ids, pl.Series("item_id", ["new"])])
    path = lake / "ratings.parquet"
    n = write_rating_predictions(path, tonight, matrices, champion, item_ids=item_ids, stamp=STAMP)
    table = pl.read_parquet(path)
    assert n == table.height
    return tonight, model, ids.to_list(), table


def test_ratings_are_the_model_s_and_cold_pairs_get_the_usual_one(tmp_path):
    """In order of users and items; who or what has no rating is said."""
    pairs = [
        ("eve", "tea"), ("bob", "cup"), ("ann", "pot"), ("ann", "new"), ("ann", "nil"),
        ("eve", "new"), ("eve", "nil"),
    ]  # fmt: skip
    tonight, model, ids, table = predicted(tmp_path, pairs)
    assert table.select("user_id", "item_id", "reason").rows() == [
        ("ann", "new", "cold_item"), ("ann", "nil", "cold_item"), ("ann", "pot", None),
        ("bob", "cup", None), ("eve", "new", "unknown"), ("eve", "nil", "unknown"),
        ("eve", "tea", "cold_user"),
    ]  # fmt: skip
    mean = np.mean([value for *_, value in RATED])
    bias = dict(zip(ids, model.bias.tolist(), strict=True))
    ann = (5.0 - mean - bias["tea"] + 4.0 - mean - bias["cup"]) / 3
    rating = dict(zip(table["item_id"], table["rating"], strict=True))
    assert rating["pot"] == pytest.approx(mean + ann + bias["pot"], rel=1e-5)
    cold = table.filter(pl.col("reason").is_not_null())["rating"]
    np.testing.assert_allclose(cold, mean, rtol=1e-6)
    check_table(rating_predictions_schema("string", "string"), table)
    stamp = (STAMP.run_date, "7", "s")
    assert not any(violations_of(table, read_pairs(tonight), model, stamp).values())


def test_a_rating_that_was_given_is_not_told_to_the_model(tmp_path):
    """Ann's own 5 for tea says nothing of what she is predicted to give it; dan has no other."""
    _, model, ids, table = predicted(tmp_path, [("ann", "tea"), ("ann", "pot"), ("dan", "pot")])
    mean = np.mean([value for *_, value in RATED])
    bias = dict(zip(ids, model.bias.tolist(), strict=True))
    without = (4.0 - mean - bias["cup"]) / 2
    both = (5.0 - mean - bias["tea"] + 4.0 - mean - bias["cup"]) / 3
    assert table["item_id"].to_list() == ["pot", "tea", "pot"]
    expected = [mean + both + bias["pot"], mean + without + bias["tea"], mean]
    np.testing.assert_allclose(table["rating"], expected, rtol=1e-5)
    assert table["reason"].to_list() == [None, None, "cold_user"]


def test_only_a_model_of_ratings_fills_the_table(tmp_path):
    """Others are told apart before, and refused if they come all the same."""
    popular = from_model(Popularity(np.ones(3)), np.ones(3, np.int64), n_items=4)
    assert not predicts_ratings(popular)
    with pytest.raises(TypeError, match="must predict ratings, got Popularity"):
        predicted(tmp_path, [("ann", "tea")], contender=popular)
    _, model, *_ = predicted(tmp_path, [("ann", "tea")])
    counts = np.ones(3, np.int64)
    assert predicts_ratings(from_model(model, counts, n_items=4, consumes="ratings"))


def test_no_pair_is_no_row(tmp_path):
    """An empty file of pairs makes an empty table, which keeps its contract."""
    empty = pl.Series([], dtype=pl.String)
    *_, table = predicted(tmp_path, {"user_id": empty, "item_id": empty})
    assert table.height == 0
    check_table(rating_predictions_schema("string", "string"), table)


@pytest.mark.parametrize(("pairs", "change", "reason"), [
    ([("a", "b"), ("c", "d"), ("a", "b")], {}, "2 rows whose pair comes again, the first in row 0"),
    ([(1, "b")], {}, "user_id must be string as in the log, got integer"),
    ([("a", None)], {}, "item_id"),
    ([("a", 1.5)], {}, "item_id must be string or integer, got Float64"),
])  # fmt: skip
def test_pairs_that_do_not_fit_are_refused(tmp_path, pairs, change, reason):
    """Ids of people stay out of the sentence."""
    tonight, _ = lake_of(tmp_path, pairs, **change)
    with pytest.raises(ContractViolationError, match=reason):
        read_pairs(tonight)


def test_missing_file_and_missing_column_are_named(tmp_path):
    """With what to do."""
    tonight, _ = lake_of(tmp_path, [("ann", "tea")])
    path = tmp_path / "pairs.parquet"
    pl.read_parquet(path).rename({"item_id": "item"}).write_parquet(path)
    with pytest.raises(ContractViolationError, match=r"must have the column item_id, got"):
        read_pairs(tonight)
    path.unlink()
    with pytest.raises(ConfigError, match=r"got no file at pairs\.parquet"):
        read_pairs(tonight)


@pytest.mark.parametrize(("change", "rule"), [
    ({"rating": pl.lit(9.0, pl.Float32)}, "rating_off_scale"),
    ({"rating": pl.lit(float("nan"), pl.Float32)}, "rating_off_scale"),
    ({"item_id": pl.lit("other")}, "rating_pairs"),
    ({"snapshot_id": pl.lit("other")}, "rating_stamp"),
])  # fmt: skip
def test_every_rule_of_the_table_is_looked_at(tmp_path, change, rule):
    """One row that breaks it."""
    tonight, model, _, table = predicted(tmp_path, [("ann", "pot")])
    broken = table.with_columns(**change)
    found = violations_of(broken, read_pairs(tonight), model, (STAMP.run_date, "7", "s"))
    assert {name for name, count in found.items() if count} == {rule}


def test_configurations_that_cannot_be_are_refused(tmp_path):
    """Ratings from a log without any, and predicted by a model of weights."""
    path = tmp_path / "hoarfrost.toml"
    path.write_text('[model]\nkind = "rating_bias"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"interactions\.columns\.value") as told:
        load_config(path)
    assert told.value.exit_code == 2
    pairs = {"rating_predictions": {"pairs": "pairs.parquet"}}
    with pytest.raises(ValueError, match="needs a model that predicts ratings, got kind elsa"):
        NightlyConfig.model_validate(pairs)
