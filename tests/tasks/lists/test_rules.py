"""Rules as arrays, against the words of the configuration and the lists."""

import logging
import shutil

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import ConfigError
from tasks.lists.rules import load_rules, rules_fingerprint
from tests.tasks.rules_lake import (
    all_rules,
    items_of,
    listable,
    make_history,
    put,
    rules_night,
)
from tests.tiny_lake import at

ROWS = [
    ("ann", "tea", "view", at(1)),
    ("bob", "cup", "view", at(2)),
    ("cid", "pot", "search", at(3)),
]
EVERYTHING = {"ann": {"cup", "pot", "jar"}, "bob": {"tea", "pot", "jar"}}
EVERYTHING["cid"] = {"cup", "pot", "tea", "jar"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three items of the log and one that only the catalogue knows; ann is of a segment."""
    lake = tmp_path_factory.mktemp("made")
    category = ["drink", "dish", "dish"]
    put(lake, "items/a.parquet", item_id=["tea", "cup", "jar"], category=category)
    put(lake, "segments/a.parquet", user_id=["ann", "zoe"], segment=["vip", "old"])
    make_history(rules_night(lake), ROWS)
    return lake


@pytest.fixture
def lake(made, tmp_path):
    """A copy of it; what is derived from the log does not depend on rules."""
    return shutil.copytree(made, tmp_path / "lake")


def shown(lake, **surface):
    """What every user may be shown under the rules."""
    tonight = rules_night(lake, surface)
    return listable(tonight, items_of(tonight))


def without(*items):
    """Everything but these."""
    return {user: may - set(items) for user, may in EVERYTHING.items()}


def only(*items):
    """Nobody may be shown anything else."""
    return {user: set(items) for user in EVERYTHING}


def test_by_default_all_but_seen_items_are_shown(lake):
    """And the arrays are the plainest ones."""
    tonight = rules_night(lake)
    item_ids = items_of(tonight)
    assert listable(tonight, item_ids) == EVERYTHING
    rules, shards = all_rules(tonight, item_ids)
    assert rules.segments == ("old", "vip")
    assert rules.segment.tolist() == [0, 1, 2]
    assert rules.eligible.all()
    assert rules.boost is None
    assert all(users.allowed is None for _, users in shards)
    groups = {u: g for ids, users in shards for u, g in zip(ids, users.group, strict=True)}
    assert groups == {"ann": 2, "bob": 0, "cid": 0}


def test_unavailable_items_are_not_shown(lake):
    """Whatever else allows them."""
    put(lake, "items/a.parquet", item_id=["tea", "jar"], available=[False, True])
    put(lake, "allow.parquet", item_id=["tea", "jar"])
    assert shown(lake, allow="allow.parquet") == only("jar")


def test_categories_narrow_a_surface(lake):
    """An item of no category is of none of them."""
    assert shown(lake, categories=["dish"]) == without("tea", "pot")


def test_a_cap_of_nothing_keeps_a_category_out(lake):
    """Other items stay, those of no category as well."""
    assert shown(lake, category_caps={"dish": 0}) == without("cup", "jar")


def test_caps_by_category_come_before_the_common_one(lake):
    """And are never above the length of a list."""
    surface = {"n_top": 5, "max_per_category": 2, "category_caps": {"dish": 9}}
    tonight = rules_night(lake, surface)
    item_ids = items_of(tonight)
    rules = load_rules(tonight, "home", item_ids)
    assert (rules.categories, rules.caps.tolist()) == (("dish", "drink"), [5, 2])
    of_item = dict(zip(item_ids, rules.category.tolist(), strict=True))
    assert of_item == {"cup": 0, "jar": 0, "tea": 1, "pot": -1}
    uncapped = load_rules(rules_night(lake, {"n_top": 5}), "home", item_ids)
    assert uncapped.caps.tolist() == [5, 5]


def test_boosts_are_factors_of_a_category(lake):
    """1 for the others."""
    tonight = rules_night(lake, {"boosts": {"dish": 1.5, "drink": 0.5}})
    item_ids = items_of(tonight)
    boost = load_rules(tonight, "home", item_ids).boost
    assert boost.dtype == np.float32
    assert dict(zip(item_ids, boost.tolist(), strict=True)) == {
        "cup": 1.5, "jar": 1.5, "tea": 0.5, "pot": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("jar", None, None)], without("jar")),
        ([("pot", None, "vip")], EVERYTHING | {"ann": {"cup", "jar"}}),
        ([("pot", "bob", None)], EVERYTHING | {"bob": {"tea", "jar"}}),
        ([("pot", "bob", None), ("jar", None, None)], without("jar") | {"bob": {"tea"}}),
        ([("what", None, None), ("pot", None, "who"), ("pot", "who", None)], EVERYTHING),
        ([], EVERYTHING),
    ],
)
def test_block_lists(lake, rows, expected):
    """For everybody, a segment, a user; unknown items, segments and users change nothing."""
    put_list(lake, "block.parquet", rows)
    assert shown(lake, block="block.parquet") == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("jar", None, None)], only("jar")),
        ([("jar", None, "vip")], EVERYTHING | {"ann": {"jar"}}),
        ([("jar", "bob", None)], EVERYTHING | {"bob": {"jar"}}),
        (
            [("jar", None, None), ("pot", None, "vip"), ("tea", "bob", None)],
            {"ann": {"jar", "pot"}, "bob": {"jar", "tea"}, "cid": {"jar"}},
        ),
        ([("cup", "ann", None), ("pot", None, "vip")], EVERYTHING | {"ann": {"cup", "pot"}}),
        ([("what", "bob", None)], EVERYTHING | {"bob": set()}),
        ([("what", "bob", None), ("jar", None, None)], only("jar")),
        ([("what", None, "vip")], EVERYTHING | {"ann": set()}),
        ([("what", None, None)], only()),
        ([("cup", "bob", None)], EVERYTHING | {"bob": set()}),
        ([], EVERYTHING),
    ],
)
def test_allow_lists(lake, rows, expected):
    """Rows for everybody, the segment and the user add up; without any, all is allowed."""
    put_list(lake, "allow.parquet", rows)
    assert shown(lake, allow="allow.parquet") == expected


def test_block_wins_over_allow(lake):
    """On every level."""
    put_list(lake, "allow.parquet", [("jar", "bob", None), ("pot", "bob", None)])
    put_list(lake, "block.parquet", [("jar", None, None)])
    assert shown(lake, allow="allow.parquet", block="block.parquet") == without("jar") | {
        "bob": {"pot"}
    }


def test_groups_double_only_where_a_list_asks_for_it(lake):
    """Users with allow rows of their own besides shared ones; segment leads back."""
    put_list(lake, "allow.parquet", [("jar", None, None), ("tea", "bob", None)])
    tonight = rules_night(lake, {"allow": "allow.parquet"})
    rules, shards = all_rules(tonight, items_of(tonight))
    assert rules.segment.tolist() == [0, 1, 2, 0, 1, 2]
    groups = {u: g for ids, users in shards for u, g in zip(ids, users.group, strict=True)}
    assert groups == {"ann": 2, "bob": 3, "cid": 0}
    assert rules.eligible.sum(axis=1).tolist() == [1, 1, 1, 4, 4, 4]


def test_what_nobody_knows_is_told(lake, caplog):
    """One line for each list, one for the categories."""
    put_list(lake, "block.parquet", [("what", None, None), ("jar", None, "who")])
    with caplog.at_level(logging.INFO):
        shown(lake, block="block.parquet", categories=["dish", "fish"], boosts={"wish": 2.0})
    told = [record.getMessage() for record in caplog.records if "home" in record.getMessage()]
    assert sorted(set(told)) == [
        "surfaces.home.block: 2 rows, 1 of items that nobody knows, 1 of segments that no user has",
        "surfaces.home: no item of the catalogue is of fish, wish",
    ]


def test_integer_ids_match(tmp_path):
    """Of any width in the files."""
    schema = {"user_id": pl.Int64(), "item_id": pl.Int64(), "event_type": pl.String()}
    schema["timestamp"] = pl.Datetime("us", "UTC")
    rows = [(1, 10, "view", at(1)), (2, 20, "view", at(1))]
    put(tmp_path, "segments/a.parquet", user_id=pl.Series([2], dtype=pl.Int16), segment=["b"])
    put(
        tmp_path, "block.parquet", item_id=pl.Series([10, 30], dtype=pl.UInt8),
        user_id=pl.Series([2, None], dtype=pl.UInt32),
    )  # fmt: skip
    tonight = rules_night(tmp_path, {"block": "block.parquet"})
    found = listable(tonight, make_history(tonight, rows, schema=schema))
    assert found == {1: {20}, 2: set()}


def test_no_catalogue_no_list_no_segment(tmp_path):
    """The rules of a bare lake."""
    tonight = rules_night(tmp_path)
    rules, _ = all_rules(tonight, make_history(tonight, ROWS))
    assert (rules.segments, rules.categories) == ((), ())
    assert rules.category.tolist() == [-1, -1, -1]
    assert rules_fingerprint(tonight) == {}


def test_fingerprint_covers_every_file_and_the_last_events(lake):
    """Of all surfaces; the last events only where a policy asks for them."""
    put_list(lake, "allow.parquet", [("jar", None, None)])
    put_list(lake, "block.parquet", [("pot", None, None)])
    tonight = rules_night(lake, {"allow": "allow.parquet", "block": "block.parquet"})
    first = rules_fingerprint(tonight)
    assert sorted(first) == ["allow.parquet", "block.parquet", "segments/a.parquet"]
    put_list(lake, "block.parquet", [("tea", None, None)])
    second = rules_fingerprint(tonight)
    assert {name for name in first if first[name] != second[name]} == {"block.parquet"}
    seen = rules_night(lake, surfaces={"home": {}, "mail": {"seen": {"view": "never"}}})
    assert sorted(rules_fingerprint(seen)) == ["last_events", "segments/a.parquet"]


def test_an_unknown_surface_is_refused(tmp_path):
    """With the names that there are."""
    with pytest.raises(ConfigError, match=r"surface must be one of \['home'\], got mail"):
        load_rules(rules_night(tmp_path), "mail", pl.Series(["a"]))


def put_list(lake, file, rows):
    """Write rows of item, user and segment."""
    names = ("item_id", "user_id", "segment")
    columns = {n: pl.Series([row[k] for row in rows], dtype=pl.String) for k, n in enumerate(names)}
    put(lake, file, **columns)
