"""The list contract: every rule is broken once, by hand."""

from datetime import date

import polars as pl
import pytest

from data_contracts.config import NightlyConfig
from data_contracts.errors import ContractViolationError
from data_contracts.manifests import SnapshotManifest
from tasks.checking import RULES, refuse, violations
from tasks.lake import Night

NIGHT = Night(config=NightlyConfig(tables={"n_top": 2}), run_date=date(2026, 9, 28))
SNAPSHOT = SnapshotManifest(
    step="materialise", run_date=NIGHT.run_date, key="", snapshot_id="s", model_version="1",
    config_digest="", code_version="", inputs={}, rows={}, fallback_share=0.0, short_lists=0,
)  # fmt: skip
HISTORY = pl.DataFrame({"user_id": ["a", "b"], "item_id": ["i", "j"], "weight": [1.0, 0.0]})
ELIGIBLE = {"model": pl.Series(["i", "j", "k"]), "popular": pl.Series(["i", "j"])}
LISTS = pl.DataFrame(
    {
        "user_id": ["a", "a", "b", "b"],
        "rank": [1, 2, 1, 2],
        "item_id": ["j", "k", "i", "j"],
        "score": [0.9, 0.5, 3.0, 2.0],
        "source": ["model", "model", "popular", "popular"],
        "run_date": [NIGHT.run_date] * 4,
        "model_version": ["1"] * 4,
        "snapshot_id": ["s"] * 4,
    }
)


def found(lists):
    """The rules that lists break."""
    counts = violations(lists, HISTORY, ELIGIBLE, SNAPSHOT, NIGHT)
    assert set(counts) == set(RULES)
    return {rule for rule, count in counts.items() if count}


def with_cell(column, row, value):
    """The good lists with one cell changed."""
    values = LISTS[column].to_list()
    values[row] = value
    return LISTS.with_columns(pl.Series(column, values))


def test_good_lists_break_nothing():
    """User b is known by weight 0 only and gets the popular list."""
    assert found(LISTS) == set()


@pytest.mark.parametrize(
    ("lists", "rule"),
    [
        (with_cell("item_id", 0, "i"), "seen"),
        (with_cell("item_id", 1, "gone"), "ineligible"),
        (with_cell("item_id", 3, "k"), "ineligible"),
        (with_cell("item_id", 1, "j"), "repeated"),
        (with_cell("score", 1, float("nan")), "not_finite"),
        (with_cell("rank", 1, 3), "rank_gap"),
        (with_cell("score", 1, 1.5), "rank_gap"),
        (LISTS.head(3), "wrong_length"),
        (LISTS.head(2), "wrong_length"),
        (with_cell("user_id", 3, "nobody"), "unknown_user"),
        (with_cell("model_version", 2, "2"), "stamp"),
        (with_cell("snapshot_id", 2, "t"), "stamp"),
        (with_cell("run_date", 2, date(2026, 9, 27)), "stamp"),
    ],
)
def test_broken_list_is_found_under_its_rule(lists, rule):
    """Other rules may be broken as well, this one is."""
    assert rule in found(lists)


def test_short_list_is_fine_where_nothing_is_left():
    """With one unseen item in all, a list of one is whole."""
    few = {"model": pl.Series(["i", "j"]), "popular": pl.Series(["i", "j"])}
    lists = LISTS.filter(~((pl.col("user_id") == "a") & (pl.col("rank") == 2)))
    assert not any(violations(lists, HISTORY, few, SNAPSHOT, NIGHT).values())


def test_broken_contract_stops_the_night_with_the_rule():
    """Nothing is published, and the sentence says what was wrong."""
    with pytest.raises(ContractViolationError, match="no list holds an item twice: 3 broken"):
        refuse({"repeated": 3, "seen": 0}, SNAPSHOT, NIGHT)
    many = SNAPSHOT.model_copy(update={"fallback_share": 0.6})
    with pytest.raises(ContractViolationError, match=r"at most 0\.5, got 0\.6"):
        refuse({"seen": 0}, many, NIGHT)
