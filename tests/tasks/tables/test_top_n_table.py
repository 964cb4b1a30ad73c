"""The tables of lists: a shard in order, short lists named, reasons where there are any."""

from datetime import date

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from data_contracts.short_lists import short_lists_schema
from data_contracts.top_n import top_n_schema
from tasks.history.matrix_shard import MatrixShard
from tasks.lists.ranker import Ranked
from tasks.lists.rules import UserRules
from tasks.snapshot.stamp import Stamp
from tasks.tables.table_file import check_table
from tasks.tables.top_n_table import list_rows, short_rows, write_lists
from tests.tiny_surface import ranker_of

STAMP = Stamp(run_date=date(2026, 9, 10), model_version="7", snapshot_id="s")
ITEMS = pl.Series(["tea", "cup", "pot", "new"])
A = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]], dtype=np.float32)
HISTORY = [  # tea, cup, pot, new
    [2.0, 0.0, 0.0, 0.0],  # ann: model
    [0.0, 0.0, 0.0, 1.0],  # bob: only an item the model does not know
    [1.0, 1.0, 1.0, 0.0],  # cid: has met all but one item
    [0.0, 1.0, 0.0, 5.0],  # dan: model, one reason
]
USERS = pl.Series("user_id", ["ann", "bob", "cid", "dan"])


def written(folder, rows=HISTORY, users=USERS, item_ids=ITEMS, **settings):
    """Write a shard; return the counts and both tables."""
    X = sp.csr_array(np.array(rows, dtype=np.float32).reshape(len(users), len(ITEMS)))
    nothing = np.zeros(0, np.int32)
    ranker = ranker_of(A, np.array([3, 2, 1]), [3.0, 2.0, 1.0, 1.0], item_ids=item_ids, **settings)
    note = write_lists(
        folder / "top_n.parquet", folder / "short.parquet",
        shard=MatrixShard(users, X, nothing, np.zeros(0, np.float32), nothing),
        ranker=ranker, stamp=STAMP,
        users=UserRules(np.zeros(len(users), np.int32), X, None),
    )  # fmt: skip
    return note, *(pl.read_parquet(folder / f"{name}.parquet") for name in ("top_n", "short"))


def test_lists_are_those_computed_by_hand(tmp_path):
    """Best first, nothing seen; what the model cannot fill comes from the popular list."""
    note, table, short = written(tmp_path)
    assert table.select("user_id", "rank", "item_id", "source").rows() == [
        ("ann", 1, "cup", "model"),
        ("ann", 2, "pot", "model"),
        ("bob", 1, "tea", "popular"),
        ("bob", 2, "cup", "popular"),
        ("cid", 1, "new", "popular"),
        ("dan", 1, "pot", "model"),
        ("dan", 2, "tea", "model"),
    ]
    assert table["score"].to_list() == pytest.approx([1.6, 1.2, 3.0, 2.0, 1.0, 0.96, 0.8])
    assert short.select("user_id", "n_items", "short_reason").rows() == [("cid", 1, "seen")]
    assert table.filter(pl.col("short_reason").is_not_null())["user_id"].to_list() == ["cid"]
    assert (note.rows, note.users, note.fallbacks, note.short) == (7, 4, 2, 1)
    assert {source: n for source, n in note.by_source.items() if n} == {"model": 4, "popular": 3}


def test_reasons_stand_with_the_model_s_rows_only(tmp_path):
    """Ann has tea and nothing else, dan has a known item and a new one."""
    _, table, _ = written(tmp_path)
    reasons = table.select("user_id", "because_item_id", "because_share")
    assert reasons.unique(maintain_order=True).rows() == [
        ("ann", "tea", 1.0), ("bob", None, None), ("cid", None, None), ("dan", "cup", 1.0),
    ]  # fmt: skip


def test_files_keep_their_contracts_and_the_stamp(tmp_path):
    """Every row says where it comes from."""
    _, table, short = written(tmp_path)
    check_table(top_n_schema("string", "string"), table)
    check_table(short_lists_schema("string"), short)
    for rows in (table, short):
        stamps = rows.select("run_date", "model_version", "snapshot_id").unique().rows()
        assert stamps == [(STAMP.run_date, "7", "s")]


@pytest.mark.parametrize("block_size", [1, 2, 100])
def test_bytes_do_not_depend_on_the_blocks(tmp_path, block_size):
    """Users are ranked a block at a time, and nobody can tell."""
    for name, size in (("a", None), ("b", block_size)):
        (tmp_path / name).mkdir()
        written(tmp_path / name, block_size=size)
    for name in ("top_n.parquet", "short.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_unavailable_items_are_in_no_list(tmp_path):
    """Neither the model's nor the popular one; lists that get shorter say so."""
    note, table, short = written(tmp_path, available=(True, False, False, True))
    assert not set(table["item_id"]) & {"cup", "pot"}
    assert note.short == short.height == 4
    assert set(short["short_reason"]) == {"seen"}


def test_integer_ids_stay_integers(tmp_path):
    """Users and items as in the log, zero and negative ones included."""
    users, items = pl.Series("user_id", [-5, 0]), pl.Series([10, 0, -2, 7])
    _, table, _ = written(tmp_path, rows=HISTORY[:2], users=users, item_ids=items)
    assert table.select("user_id", "item_id").rows() == [(-5, 0), (-5, -2), (0, 10), (0, 0)]
    assert table["because_item_id"].to_list() == [10, 10, None, None]
    check_table(top_n_schema("integer", "integer"), table)


def test_shard_without_users_is_an_empty_table(tmp_path):
    """A file with the columns of the others, so that readers need no exception."""
    note, table, short = written(tmp_path, rows=[], users=USERS.clear())
    assert (note.rows, note.users, note.fallbacks, note.short) == (0, 0, 0, 0)
    check_table(top_n_schema("string", "string"), table)
    check_table(short_lists_schema("string"), short)


def test_padding_and_unfounded_reasons_are_left_out():
    """A share that is no number is no share; an empty list is told in short_lists alone."""
    ranked = Ranked(
        items=np.array([[1, 0, -1], [-1, -1, -1]], np.int32),
        scores=np.array([[0.5, 0.25, np.nan], [np.nan] * 3], np.float32),
        source=np.zeros((2, 3), np.int8),
        because=np.array([[2, 2, -1], [-1, -1, -1]], np.int32),
        share=np.array([[0.75, np.nan, 0.0], [0.0] * 3], np.float32),
        reason=np.array([4, 0], np.int8),
        own=np.array([2, 0]),
    )
    frame = list_rows(USERS.head(2), ranked, ITEMS, STAMP)
    columns = ["user_id", "rank", "item_id", "because_item_id", "because_share", "short_reason"]
    assert frame.select(columns).rows() == [
        ("ann", 1, "cup", "pot", 0.75, "sources"),
        ("ann", 2, "tea", None, None, "sources"),
    ]
    short = short_rows(USERS.head(2), ranked, STAMP).select("user_id", "n_items", "short_reason")
    assert short.rows() == [("ann", 2, "sources"), ("bob", 0, "catalogue")]
