"""Event ids and ratings: two columns that a log may have."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import ConfigError, ContractViolationError
from tasks.history.history import build_history
from tasks.history.history_shard import read_history
from tasks.history.matrix import build_matrices
from tasks.history.matrix_shard import load_shard
from tasks.history.row_values import RowValues
from tasks.ingest.ingest import ingest
from tasks.vocabulary.vocabulary import read_vocabulary
from tests.tiny_lake import DAY, SCHEMA, at, night, quarantined, write_day

TOMORROW = DAY + timedelta(days=1)
SHARDS = {"history": {"n_user_shards": 2}}
WITH_IDS = SHARDS | {"interactions": {"columns": {"event_id": "event"}}}
RATED = SHARDS | {"interactions": {"columns": {"value": "stars"}}}


def told(lake, rows, column, dtype, **given):
    """Write a day whose rows have one column more, the last of each row."""
    return write_day(lake, rows, schema=SCHEMA | {column: dtype}, **given)


def history_of(lake, day=DAY, **settings):
    """The history of a night, by id."""
    tonight = night(lake, day, **settings)
    build_history(tonight, ingest(tonight))
    return read_history(tonight.step("history")).sort("user_id", "item_id")


@pytest.mark.parametrize("ids", [("a", "b"), (1, 2)])
def test_an_event_id_tells_events_apart(tmp_path, ids):
    """The same row under two ids is two events; two rows under one id are one, the earliest."""
    one, other = ids
    rows = [
        ("ann", "tea", "view", at(1), one),
        ("ann", "tea", "view", at(1), other),
        ("bob", "cup", "view", at(3), one),
        ("bob", "pot", "view", at(2), one),
        ("cid", "tea", "view", at(1), None),
        ("cid", "tea", "view", at(1), None),
    ]
    dtype = pl.String() if isinstance(one, str) else pl.Int64()
    told(tmp_path, rows, "event", dtype)
    found = history_of(tmp_path, **WITH_IDS)
    assert found.select("user_id", "item_id", "n_events").rows() == [
        ("ann", "tea", 2), ("bob", "pot", 1), ("cid", "tea", 1),
    ]  # fmt: skip
    assert [rule for _, _, rule in quarantined(tmp_path)] == ["duplicate", "duplicate"]


def test_the_winner_does_not_depend_on_files_rows_or_nights(tmp_path):
    """An event that was corrected, and told again a night later, counts as it was told first."""
    first, again = ("ann", "tea", "view", at(5), "a"), ("ann", "cup", "view", at(4), "a")
    filler = ("eve", "tea", "view", at(30), "z")
    found = []
    for number, nights in enumerate([([first, again], []), ([again, first], []), ([first], [again]),
                                     ([again], [first])]):  # fmt: skip
        lake = tmp_path / str(number)
        told(lake, nights[0], "event", pl.String())
        ingest(night(lake, **WITH_IDS))
        told(lake, [filler], "event", pl.String(), day=TOMORROW)
        if nights[1]:
            told(lake, nights[1], "event", pl.String(), name="late")
        found.append(history_of(lake, TOMORROW, **WITH_IDS))
    assert all(each.equals(found[0]) for each in found)
    assert found[0].filter(pl.col("user_id") == "ann")["item_id"].to_list() == ["cup"]


def test_ratings_reach_history_and_matrices(tmp_path):
    """The last one of every pair, zero included; of equal events the largest."""
    rows = [
        ("ann", "tea", "view", at(1), 5.0),
        ("ann", "tea", "view", at(2), 2.0),
        ("ann", "cup", "view", at(1), 0.0),
        ("bob", "tea", "view", at(1), 3.0),
        ("bob", "tea", "view", at(1), 4.0),
    ]
    told(tmp_path, rows, "stars", pl.Float64())
    found = history_of(tmp_path, **RATED)
    assert found.select("user_id", "item_id", "value").rows() == [
        ("ann", "cup", 0.0), ("ann", "tea", 2.0), ("bob", "tea", 4.0),
    ]  # fmt: skip
    tonight = night(tmp_path, **RATED)
    manifest = build_matrices(tonight, build_history(tonight, ingest(tonight)))
    items = read_vocabulary(tmp_path)["item_id"].to_list()
    ratings = {}
    rows = RowValues(tonight, manifest, "ratings")
    for shard in range(manifest.n_shards):
        X = rows.of(shard, "full")
        users = load_shard(tonight.step("matrices"), shard).users
        users = np.repeat(users.to_numpy(), np.diff(X.indptr))
        for user, item, value in zip(users, X.indices, X.data, strict=True):
            ratings[user, items[item]] = value
    assert ratings == {("ann", "cup"): 0.0, ("ann", "tea"): 2.0, ("bob", "tea"): 4.0}


def test_of_equal_events_the_largest_rating_counts_whichever_night_told_it(tmp_path):
    """The order of arrival does not matter."""
    row = ("ann", "tea", "view", at(1))
    found = []
    for number, (first, late) in enumerate([(2.0, 5.0), (5.0, 2.0)]):
        lake = tmp_path / str(number)
        told(lake, [(*row, first)], "stars", pl.Float64())
        ingest(night(lake, **RATED))
        told(lake, [("eve", "tea", "view", at(30), 1.0)], "stars", pl.Float64(), day=TOMORROW)
        told(lake, [(*row, late)], "stars", pl.Float64(), name="late")
        found.append(history_of(lake, TOMORROW, **RATED)["value"].to_list())
    assert found == [[5.0, 1.0], [5.0, 1.0]]


def test_without_ratings_there_are_no_such_rows(tmp_path):
    """Nor a column of the history; the refusal names the key that would give them."""
    write_day(tmp_path, [("ann", "tea", "view", at(1))])
    assert "value" not in history_of(tmp_path).columns
    tonight = night(tmp_path)
    matrices = build_matrices(tonight, build_history(tonight, ingest(tonight)))
    with pytest.raises(ConfigError, match=r"interactions\.columns\.value"):
        RowValues(tonight, matrices, "ratings").stacked("full")


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), 1e39])
def test_value_unfit(tmp_path, bad):
    """A rating that is none is refused; the row beside it is kept."""
    rows = [("ann", "tea", "view", at(1), bad), ("ann", "cup", "view", at(1), 3.0)]
    told(tmp_path, rows, "stars", pl.Float64())
    assert history_of(tmp_path, **RATED)["item_id"].to_list() == ["cup"]
    assert quarantined(tmp_path) == [("part-0.parquet", 0, "value_unfit")]


@pytest.mark.parametrize(("settings", "column", "sentence"), [
    (RATED, "stars", "stars must be numbers"),
    (WITH_IDS, "event", "event must be string or integer"),
])  # fmt: skip
def test_columns_of_another_type_are_refused(tmp_path, settings, column, sentence):
    """With the name of the column."""
    dtype = pl.String() if column == "stars" else pl.Float64()
    value = "five" if column == "stars" else 0.5
    told(tmp_path, [("ann", "tea", "view", at(1), value)], column, dtype)
    with pytest.raises(ContractViolationError, match=sentence):
        ingest(night(tmp_path, **settings))


def test_a_log_that_gets_such_columns_later(tmp_path):
    """Nights before had none; what they took stays."""
    write_day(tmp_path, [("ann", "tea", "view", at(1)), ("ann", "cup", "view", at(1))])
    ingest(night(tmp_path, **SHARDS))
    columns = {"event": pl.String(), "stars": pl.Int64()}
    both = SHARDS | {"interactions": {"columns": {"event_id": "event", "value": "stars"}}}
    row = ("ann", "cup", "view", at(30), "a", 4)
    write_day(tmp_path, [row], day=TOMORROW, schema=SCHEMA | columns)
    found = history_of(tmp_path, TOMORROW, **both)
    assert found["n_events"].to_list() == [2, 1]
    assert found["value"].to_list() == [4.0, None]
