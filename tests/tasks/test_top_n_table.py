"""The table top_n: lists of a shard in order, short ones short, reasons where there are any."""

from datetime import date

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from data_contracts.top_n import top_n_schema
from models.popularity import Popularity
from tasks.contender import from_arrays
from tasks.matrix import MatrixShard
from tasks.ranker import Ranked, Ranker
from tasks.stamp import Stamp
from tasks.table_file import check_table
from tasks.top_n_table import Lists, block_frame, write_top_n

STAMP = Stamp(run_date=date(2026, 9, 10), model_version="7", snapshot_id="s")
ITEMS = pl.Series(["tea", "cup", "pot", "new"])
A = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]], dtype=np.float32)
HISTORY = [  # tea, cup, pot, new
    [2.0, 0.0, 0.0, 0.0],  # ann: model
    [0.0, 0.0, 0.0, 1.0],  # bob: only an item the model does not know
    [1.0, 1.0, 1.0, 0.0],  # cid: has met all that can be recommended
    [0.0, 1.0, 0.0, 5.0],  # dan: model, one reason
]


def shard_of(rows, users):
    """A shard whose full matrix is this one."""
    X = sp.csr_array(np.array(rows, dtype=np.float32).reshape(len(users), len(ITEMS)))
    return MatrixShard(users, X, X, X, X)


def ranker(item_ids=ITEMS, available=(True, True, True, True), block_size=3):
    """Two items for every user."""
    return Ranker(
        champion=from_arrays(A, np.array([3, 2, 1]), np.zeros(2), n_items=len(item_ids)),
        popular=Popularity(np.array([3.0, 2.0, 1.0, 1.0])),
        available=np.array(available),
        item_ids=item_ids,
        n_top=2,
        block_size=block_size,
    )


USERS = pl.Series("user_id", ["ann", "bob", "cid", "dan"])


def written(path, **settings):
    """Write the shard above; return the counts and the table."""
    lists = write_top_n(path, shard_of(HISTORY, USERS), ranker(**settings), STAMP)
    return lists, pl.read_parquet(path)


def test_lists_are_those_computed_by_hand(tmp_path):
    """Best first, nothing seen, from the model where it knows the user."""
    lists, table = written(tmp_path / "top_n.parquet")
    assert table.select("user_id", "rank", "item_id", "source").rows() == [
        ("ann", 1, "cup", "model"),
        ("ann", 2, "pot", "model"),
        ("bob", 1, "tea", "popular"),
        ("bob", 2, "cup", "popular"),
        ("dan", 1, "pot", "model"),
        ("dan", 2, "tea", "model"),
    ]
    assert table["score"].to_list() == pytest.approx([1.6, 1.2, 3.0, 2.0, 0.96, 0.8])
    assert lists == Lists(rows=6, users=4, fallbacks=1, short=1)


def test_reasons_stand_with_the_model_s_rows_only(tmp_path):
    """Ann has tea and nothing else, dan has a known item and a new one."""
    _, table = written(tmp_path / "top_n.parquet")
    reasons = table.select("user_id", "because_item_id", "because_share").unique(
        maintain_order=True
    )
    assert reasons.rows() == [("ann", "tea", 1.0), ("bob", None, None), ("dan", "cup", 1.0)]


def test_file_keeps_the_contract_and_the_stamp(tmp_path):
    """Every row says where it comes from."""
    path = tmp_path / "top_n.parquet"
    _, table = written(path)
    check_table(top_n_schema("string", "string"), table)
    stamps = table.select("run_date", "model_version", "snapshot_id").unique().rows()
    assert stamps == [(STAMP.run_date, "7", "s")]


@pytest.mark.parametrize("block_size", [1, 2, 100])
def test_bytes_do_not_depend_on_the_blocks(tmp_path, block_size):
    """Users are ranked a block at a time, and nobody can tell."""
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    written(first)
    written(second, block_size=block_size)
    assert first.read_bytes() == second.read_bytes()


def test_unavailable_items_are_in_no_list(tmp_path):
    """Neither the model's nor the popular one; the lists get shorter, and are counted."""
    lists, table = written(tmp_path / "t.parquet", available=(True, False, True, True))
    assert "cup" not in table["item_id"]
    assert table["user_id"].value_counts(sort=True).sort("user_id")["count"].to_list() == [1, 2, 2]
    assert lists.short == 2


def test_integer_ids_stay_integers(tmp_path):
    """Users and items as in the log, zero and negative ones included."""
    users = pl.Series("user_id", [-5, 0])
    path = tmp_path / "t.parquet"
    write_top_n(
        path, shard_of(HISTORY[:2], users), ranker(item_ids=pl.Series([10, 0, -2, 7])), STAMP
    )
    table = pl.read_parquet(path)
    assert table.select("user_id", "item_id").rows() == [(-5, 0), (-5, -2), (0, 10), (0, 0)]
    assert table["because_item_id"].to_list() == [10, 10, None, None]
    check_table(top_n_schema("integer", "integer"), table)


def test_shard_without_users_is_an_empty_table(tmp_path):
    """A file with the columns of the others, so that readers need no exception."""
    path = tmp_path / "t.parquet"
    lists = write_top_n(path, shard_of([], USERS.clear()), ranker(), STAMP)
    assert lists == Lists(0, 0, 0, 0)
    check_table(top_n_schema("string", "string"), pl.read_parquet(path))


def test_padding_and_unfounded_reasons_are_left_out():
    """A share that is no number is no share."""
    ranked = Ranked(
        items=np.array([[1, 0, -1], [-1, -1, -1]], np.int32),
        scores=np.array([[0.5, 0.25, -np.inf], [-np.inf] * 3], np.float32),
        because=np.array([[2, 2, -1], [-1, -1, -1]], np.int32),
        share=np.array([[0.75, np.nan, 0.0], [0.0] * 3], np.float32),
        by_model=np.array([True, False]),
    )
    frame = block_frame(USERS.head(2), ranked, ITEMS, STAMP)
    columns = ["user_id", "rank", "item_id", "because_item_id", "because_share"]
    assert frame.select(columns).rows() == [
        ("ann", 1, "cup", "pot", 0.75),
        ("ann", 2, "tea", None, None),
    ]
