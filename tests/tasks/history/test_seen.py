"""What was seen and hides: by event type, by age, on days of the log's zone."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.history.last_event import STEP
from tasks.history.matrix_shard import load_shard
from tasks.history.pair import csr_of_pairs, united
from tasks.history.seen import hiding, seen_fingerprint, seen_items
from tests.tasks.rules_lake import all_rules, make_history, rules_night
from tests.tiny_lake import DAY, at

ROWS = [
    ("ann", "tea", "purchase", at(-200)),
    ("ann", "cup", "view", at(-30)),  # two days before the run date
    ("ann", "cup", "view", at(-60)),
    ("ann", "pot", "view", at(3)),
    ("ann", "jar", "search", at(1)),
    ("bob", "cup", "purchase", at(-30)),
    ("bob", "tea", "search", at(1)),
]
BY_DEFAULT = {"ann": {"tea", "cup", "pot"}, "bob": {"cup"}}


def hidden(tonight, item_ids):
    """What is hidden from every user."""
    _, shards = all_rules(tonight, item_ids)
    return {
        user: set(item_ids.gather(users.hidden[[row]].indices))
        for ids, users in shards
        for row, user in enumerate(ids)
    }


def seen(lake, policy, **sections):
    """What is hidden under a policy."""
    tonight = rules_night(lake, {"seen": policy}, **sections)
    return hidden(tonight, make_history(tonight, ROWS))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, BY_DEFAULT),
        ({"view": "never"}, {"ann": {"tea"}, "bob": {"cup"}}),
        ({"search": "always"}, {"ann": {"tea", "cup", "pot", "jar"}, "bob": {"cup", "tea"}}),
        ({"view": 1, "purchase": "never"}, {"ann": {"pot"}, "bob": set()}),
        ({"view": 2}, {"ann": {"tea", "pot"}, "bob": {"cup"}}),
        ({"view": 3}, BY_DEFAULT),
        ({"purchase": 9}, {"ann": {"cup", "pot"}, "bob": {"cup"}}),
        ({"purchase": 10, "search": 1}, BY_DEFAULT | {"ann": {"tea", "cup", "pot", "jar"}}
         | {"bob": {"cup", "tea"}}),
    ],
)  # fmt: skip
def test_every_event_type_hides_for_its_time(tmp_path, policy, expected):
    """An event of day d hides while the run date lies fewer than N days after it."""
    assert seen(tmp_path, policy) == expected


def test_days_are_those_of_the_log(tmp_path):
    """Two hours before midnight in UTC is the run date in Prague already."""
    rows = [("ann", "tea", "view", at(-1.5)), ("ann", "cup", "view", at(1))]
    for zone, expected in (("UTC", {"cup"}), ("Europe/Prague", {"cup", "tea"})):
        lake = tmp_path / zone.lower().replace("/", "-")
        log = {"look_back_days": 30, "time_zone": zone}
        tonight = rules_night(lake, {"seen": {"view": 1}}, interactions=log)
        assert hidden(tonight, make_history(tonight, rows)) == {"ann": expected}


def test_the_default_policy_reads_the_matrices_alone(tmp_path):
    """The entries are those of the history, and no other step is made."""
    tonight = rules_night(tmp_path, {"seen": {"view": "always", "search": "never"}})
    item_ids = make_history(tonight, ROWS)
    items = pl.DataFrame({"item_id": item_ids}).with_row_index("item")
    surface = tonight.config.surfaces["home"]
    for shard in range(2):
        arrays = load_shard(tonight.step("matrices"), shard)
        found = seen_items(tonight, surface, shard=shard, users=arrays.users, items=items)
        np.testing.assert_array_equal(found.toarray(), arrays.full.toarray())
    assert seen_fingerprint(tonight, surface) == {}
    assert not tonight.step(STEP).exists()


def test_the_long_way_hides_what_the_short_one_does(tmp_path):
    """A policy that says the default in other words: more days than the window has."""
    tonight = rules_night(tmp_path, {"seen": {"view": 999}})
    assert hidden(tonight, make_history(tonight, ROWS)) == BY_DEFAULT
    assert tonight.step(STEP).exists()


def test_some_users_of_a_shard_in_any_order(tmp_path):
    """With the default policy and with another; one without a history has seen nothing."""
    for policy in ({}, {"view": 999}):
        tonight = rules_night(tmp_path, {"seen": policy}, history={"n_user_shards": 1})
        item_ids = make_history(tonight, ROWS)
        items = pl.DataFrame({"item_id": item_ids}).with_row_index("item")
        users = pl.Series(["bob", "zoe", "ann"])
        surface = tonight.config.surfaces["home"]
        all_rules(tonight, item_ids)
        X = seen_items(tonight, surface, shard=0, users=users, items=items)
        found = [set(item_ids.gather(X[[row]].indices)) for row in range(3)]
        assert found == [BY_DEFAULT["bob"], set(), BY_DEFAULT["ann"]]


def test_events_outside_the_window_hide_nothing(tmp_path):
    """As in the history; always means as far back as the window goes."""
    policy = {"view": "always", "search": 1}
    history = {"n_user_shards": 2, "window_days": 2}
    assert seen(tmp_path, policy, history=history) == {"ann": {"pot", "jar"}, "bob": {"tea"}}


def test_late_files_and_later_nights_count(tmp_path):
    """The last event of all nights decides, and the fingerprint follows it."""
    tonight = rules_night(tmp_path, {"seen": {"view": 2}})
    make_history(tonight, ROWS)
    first = seen_fingerprint(tonight, tonight.config.surfaces["home"])
    tomorrow = DAY + timedelta(days=1)
    later = rules_night(tmp_path, {"seen": {"view": 2}}).model_copy(update={"run_date": tomorrow})
    item_ids = make_history(later, [("ann", "cup", "view", at(25))], day=tomorrow)
    assert hidden(later, item_ids)["ann"] == {"tea", "cup", "pot"}
    assert seen_fingerprint(later, later.config.surfaces["home"]) != first


def test_policy_names_every_event_type():
    """Without a word those with a weight hide always, the others never."""
    tonight = rules_night("unused", {"seen": {"purchase": 30}})
    found = hiding(tonight, tonight.config.surfaces["home"])
    assert found == {"view": "always", "purchase": 30, "search": "never"}
    assert tonight.run_date == date(2026, 9, 10)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=12))
def test_pairs_become_entries(pairs):
    """Each once, sorted, in a matrix of the right shape; together with others, both."""
    user, item = (pl.Series([pair[k] for pair in pairs], dtype=pl.Int32) for k in (0, 1))
    X = csr_of_pairs(user, item, shape=(4, 5))
    assert X.shape == (4, 5)
    assert X.has_canonical_format
    assert set(zip(*map(np.ndarray.tolist, X.nonzero()), strict=True)) == set(pairs)
    other = csr_of_pairs(pl.Series([3]), pl.Series([4]), shape=(4, 5))
    both = united(X, other)
    assert set(zip(*map(np.ndarray.tolist, both.nonzero()), strict=True)) == {*pairs, (3, 4)}
    assert both.has_sorted_indices
