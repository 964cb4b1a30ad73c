"""The two files of a fixed split: what is read, and what is refused in which words."""

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import ConfigError, ContractViolationError, TooLittleDataError
from tasks.evaluating.fixed_split import read_test, read_train
from tests.fixed_split import write_pairs

TRAIN = [(7, 30), (7, 4), (5, 4), (5, 4), (11, 200)]


@pytest.fixture
def train(tmp_path):
    """Three users, three items, one pair told twice."""
    return write_pairs(tmp_path / "train.parquet", TRAIN)


def test_train_is_ordered_by_ids(train):
    """Rows and columns follow from the ids; a pair told twice counts once."""
    rows = read_train(train)
    assert rows.user_ids.to_list() == [5, 7, 11]
    assert rows.item_ids.to_list() == [4, 30, 200]
    assert rows.X.toarray().tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert rows.X.dtype == np.float32
    assert rows.n_duplicates == 1


def test_numbers_written_as_text_come_in_the_same_order(tmp_path, train):
    """Else the same data would give other figures, the start of a fit being one row per item."""
    text = read_train(write_pairs(tmp_path / "t.parquet", [(str(u), str(i)) for u, i in TRAIN]))
    assert text.item_ids.to_list() == ["4", "30", "200"]
    assert (text.X != read_train(train).X).nnz == 0


def test_asked_items_are_counted_whole(tmp_path, train):
    """Unknown items and those already had stay targets; unknown users are left out."""
    pairs = [(11, 4), (11, 4), (11, 999), (7, 30), (7, 200), (8, 4), (9, 4)]
    asked = read_test(write_pairs(tmp_path / "test.parquet", pairs), read_train(train))
    assert asked.user.tolist() == [1, 2]
    assert asked.target.toarray().tolist() == [[0, 1, 1], [1, 0, 0]]
    assert asked.n_targets.tolist() == [2, 2]
    assert (asked.n_left_out, asked.n_unknown, asked.n_seen, asked.n_duplicates) == (2, 1, 1, 1)


@pytest.mark.parametrize("dtype", [pl.Int16, pl.UInt64, pl.Categorical, pl.Enum(["4", "5"])])
def test_ids_of_every_width_are_read(tmp_path, dtype):
    """A file may store its ids as it likes."""
    text = isinstance(dtype, pl.Enum) or dtype == pl.Categorical
    ids = pl.Series(["4", "5"] if text else [4, 5]).cast(dtype)
    path = tmp_path / "train.parquet"
    pl.DataFrame({"user_id": ids, "item_id": ids, "rating": [1.0, 2.0]}).write_parquet(path)
    assert read_train(path).X.toarray().tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("columns", "error", "reason"),
    [
        ({"user_id": [1], "item": [2]}, ContractViolationError, "must have a column item_id"),
        ({"user_id": [1, None], "item_id": [2, 3]}, ContractViolationError, "1 rows .* user_id"),
        ({"user_id": ["a", ""], "item_id": [2, 3]}, ContractViolationError, "user_id .*not_empty"),
        ({"user_id": [1.5], "item_id": [2]}, ContractViolationError, "user_id .* is Float64"),
        ({"user_id": [None], "item_id": [2]}, ContractViolationError, "1 rows without user_id"),
        ({"user_id": [2**63], "item_id": [2]}, ContractViolationError, "user_id .* 64 bits"),
        ({"user_id": [], "item_id": []}, TooLittleDataError, "is empty"),
    ],
)
def test_bad_file_is_refused_by_column(tmp_path, columns, error, reason):
    """The sentence names file and column."""
    path = tmp_path / "bad.parquet"
    pl.DataFrame(columns).write_parquet(path)
    with pytest.raises(error, match=reason):
        read_train(path)
    with pytest.raises(error, match=r"bad\.parquet"):
        read_train(path)


def test_what_is_no_parquet_is_refused(tmp_path):
    """CSV, or half a file."""
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id\n1,2\n", encoding="utf-8")
    with pytest.raises(ContractViolationError, match=r"log\.csv must be a whole Parquet file"):
        read_train(path)
    with pytest.raises(ConfigError, match=r"no file at .*none\.parquet"):
        read_train(tmp_path / "none.parquet")


def test_types_of_the_two_files_must_agree(tmp_path, train):
    """Text never equals a number: nobody would be judged, for no visible reason."""
    for name, pair in (("user_id", ("7", 4)), ("item_id", (7, "4"))):
        test = write_pairs(tmp_path / "test.parquet", [pair])
        reason = rf"{name} must have one type .* integer in .*train\.parquet and string in .*test"
        with pytest.raises(ContractViolationError, match=reason):
            read_test(test, read_train(train))


def test_nobody_to_judge_is_too_little(tmp_path, train):
    """A split by user has no fold-in here."""
    test = write_pairs(tmp_path / "test.parquet", [(8, 4)])
    with pytest.raises(
        TooLittleDataError, match=r"no user of .*test\.parquet has a row in .*train"
    ):
        read_test(test, read_train(train))


RATED = [(7, 30, 0.0, 5), (7, 4, 4.5, 3), (5, 4, 1.0, 1), (5, 4, 3.0, 9), (11, 200, 2.0, 2)]


def write_rated(path, rows, *columns):
    """Write pairs with a rating and a moment, or some of these columns."""
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "rating", "timestamp"], orient="row")
    frame.select("user_id", "item_id", *columns).write_parquet(path)
    return path


def test_ratings_are_the_last_of_each_pair(tmp_path):
    """A rating of 0 is stored; without moments the largest counts, whatever the order of rows."""
    both = write_rated(tmp_path / "train.parquet", RATED, "rating", "timestamp")
    rows = read_train(both, "ratings")
    assert (rows.X.nnz, rows.n_duplicates, rows.consumes) == (4, 1, "ratings")
    assert rows.X.toarray().tolist() == [[3, 0, 0], [4.5, 0, 0], [0, 0, 2]]
    for order in (RATED, RATED[::-1]):
        alone = read_train(write_rated(tmp_path / "t.parquet", order, "rating"), "ratings")
        assert (alone.X != rows.X).nnz == 0
        assert alone.X.dtype == np.float32


def test_the_order_is_by_time_within_the_user(tmp_path):
    """Places from 1; equal moments by item."""
    rows = [(1, 10, 0.0, 50), (1, 20, 0.0, 7), (1, 30, 0.0, 7), (2, 20, 0.0, 1), (1, 10, 0.0, 3)]
    path = write_rated(tmp_path / "train.parquet", rows, "timestamp")
    assert read_train(path, "order").X.toarray().tolist() == [[3, 1, 2], [0, 1, 0]]
    days = pl.read_parquet(path).with_columns(pl.from_epoch("timestamp", time_unit="d"))
    days.write_parquet(tmp_path / "days.parquet")
    again = read_train(tmp_path / "days.parquet", "order")
    assert again.X.toarray().tolist() == [[3, 1, 2], [0, 1, 0]]


def test_asked_ratings_are_those_of_judged_users(tmp_path):
    """Also of items that training has not; users it has not are left out."""
    train = read_train(write_rated(tmp_path / "train.parquet", RATED, "rating"), "ratings")
    test = [(11, 999, 5.0, 0), (11, 4, 1.0, 0), (7, 30, 2.0, 0), (8, 4, 3.0, 0)]
    asked = read_test(write_rated(tmp_path / "test.parquet", test, "rating"), train)
    assert asked.user.tolist() == [1, 2]
    row, item, rating = asked.ratings
    assert (row.tolist(), item.tolist(), rating.tolist()) == ([0, 1, 1], [1, -1, 0], [2, 5, 1])
    assert asked.n_seen == 1  # though it was rated 0


@pytest.mark.parametrize(("consumes", "columns", "error", "reason"), [
    ("ratings", {}, ConfigError, "must have a column rating for a model that learns from ratings"),
    ("order", {"rating": [1.0]}, ConfigError, "must have a column timestamp .* order of events"),
    ("ratings", {"rating": [None]}, ContractViolationError, "1 rows without one"),
    ("ratings", {"rating": ["five"]}, ContractViolationError, "rating of .* must be numbers"),
    ("ratings", {"rating": [float("nan")]}, ContractViolationError, "rating breaks finite"),
    ("order", {"timestamp": [1.5]}, ContractViolationError, "must be Parquet timestamps or whole"),
])  # fmt: skip
def test_a_model_s_column_is_asked_for_by_name(tmp_path, consumes, columns, error, reason):
    """Before anything is fitted."""
    path = tmp_path / "train.parquet"
    pl.DataFrame({"user_id": [1], "item_id": [2]} | columns).write_parquet(path)
    assert read_train(path).X.nnz == 1  # other models do not look at it
    with pytest.raises(error, match=reason):
        read_train(path, consumes)
