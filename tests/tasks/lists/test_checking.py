"""Tables are read back and held against the rules; what is found stops the night.

The rules themselves are broken one by one in tests/models/ranking/test_list_contract.py.
"""

from datetime import date

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from data_contracts.errors import ContractViolationError
from data_contracts.manifests import SnapshotManifest
from models.ranking.list_contract import Terms
from tasks.lists.checking import RULES, refuse, shard_violations
from tasks.tables.surface_file import surface_path
from tests.tiny_lake import DAY, night

SNAPSHOT = SnapshotManifest(
    step="materialise", run_date=DAY, key="", snapshot_id="s", model_version="1",
    config_digest="", code_version="", inputs={}, rows={}, fallback_share=0.0, short_lists=0,
)  # fmt: skip
USERS, ITEMS = pl.Series(["a", "b", "c"]), pl.Series(["i", "j", "k"])
TERMS = Terms(
    n=2, eligible=np.ones((1, 3), bool), known=np.ones(3, bool), group=np.zeros(3, np.int32),
    hidden=sp.csr_array(np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0]])), allowed=None,
    category=np.full(3, -1), caps=np.zeros(0, int), complete=True, scores_fall=True,
)  # fmt: skip
STAMP = {"run_date": DAY, "model_version": "1", "snapshot_id": "s"}
LISTS = pl.DataFrame(
    {
        "user_id": ["a", "a", "b", "b", "c"],
        "rank": [1, 2, 1, 2, 1],
        "item_id": ["j", "k", "i", "j", "k"],
        "score": [0.9, 0.5, 3.0, 2.0, 1.0],
        "source": ["model", "model", "popular", "popular", "model"],
        "short_reason": [None, None, None, None, "seen"],
    }
).with_columns(**{name: pl.lit(value) for name, value in STAMP.items()})
SHORT = pl.DataFrame({"user_id": ["c"], "n_items": [1], "short_reason": ["seen"]}).with_columns(
    pl.col("n_items").cast(pl.Int32), **{name: pl.lit(value) for name, value in STAMP.items()}
)


def found(lake, lists=LISTS, short=SHORT):
    """The rules that tables break, read back from a lake."""
    tonight = night(lake)
    for table, rows in (("top_n", lists), ("short_lists", short)):
        path = tonight.step("materialise") / surface_path(table, "home", 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(path)
    counts = shard_violations(tonight, SNAPSHOT, "home", 0, USERS, ITEMS, TERMS)
    assert set(counts) == set(RULES)
    return {rule for rule, count in counts.items() if count}


def with_cell(column, row, value, table=LISTS):
    """The good rows with one cell changed."""
    values = table[column].to_list()
    values[row] = value
    return table.with_columns(pl.Series(column, values, dtype=table.schema[column]))


def test_good_tables_break_nothing(tmp_path):
    """User c has one item left, and the tables say so."""
    assert found(tmp_path) == set()


@pytest.mark.parametrize(
    ("lists", "rule"),
    [
        (with_cell("item_id", 0, "i"), "hidden"),
        (with_cell("item_id", 1, "gone"), "ineligible"),
        (with_cell("item_id", 1, "j"), "repeated"),
        (with_cell("score", 1, float("nan")), "not_finite"),
        (with_cell("rank", 1, 3), "rank_gap"),
        (LISTS.head(3), "wrong_length"),
        (LISTS.filter(pl.col("user_id") != "a"), "wrong_length"),
        (with_cell("short_reason", 4, None), "wrong_length"),
        (with_cell("short_reason", 4, "catalogue"), "wrong_length"),
        (with_cell("user_id", 3, "nobody"), "unknown_user"),
        (with_cell("model_version", 2, "2"), "stamp"),
        (with_cell("snapshot_id", 2, "t"), "stamp"),
        (with_cell("run_date", 2, date(2026, 9, 1)), "stamp"),
    ],
)
def test_broken_table_is_found_under_its_rule(tmp_path, lists, rule):
    """Other rules may be broken as well, this one is."""
    assert rule in found(tmp_path, lists)


@pytest.mark.parametrize(
    ("short", "rule"),
    [
        (SHORT.clear(), "wrong_length"),
        (with_cell("user_id", 0, "a", SHORT), "wrong_length"),
        (with_cell("n_items", 0, 2, SHORT), "wrong_length"),
        (with_cell("user_id", 0, "nobody", SHORT), "unknown_user"),
        (with_cell("short_reason", 0, "catalogue", SHORT), "untrue_reason"),
        (with_cell("snapshot_id", 0, "t", SHORT), "stamp"),
    ],
)
def test_broken_table_of_short_lists_is_found(tmp_path, short, rule):
    """It must say the same as the lists themselves."""
    assert rule in found(tmp_path, short=short)


def test_broken_contract_stops_the_night_with_the_rule(tmp_path):
    """Nothing is published, and the sentence says what was wrong."""
    with pytest.raises(ContractViolationError, match="no list holds an item twice: 3 broken"):
        refuse({"repeated": 3, "hidden": 0}, SNAPSHOT, night(tmp_path))
    many = SNAPSHOT.model_copy(update={"fallback_share": 0.6})
    with pytest.raises(ContractViolationError, match=r"at most 0\.5, got 0\.6"):
        refuse({"hidden": 0}, many, night(tmp_path))
