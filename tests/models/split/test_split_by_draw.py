"""Splits by lot: who is held out stays out, seeds decide, and the order of events does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.split.split_by_draw import (
    cold_items,
    draw_users,
    fixed_split,
    random_pairs,
    strong_generalisation,
)
from models.split.split_result import split_rows
from tests.models.events import EVENTS, columns, pairs

SEEDS = st.integers(0, 3)


def check_nothing_twice(split, user, item) -> None:
    """What is asked of a user is neither shown, nor asked twice, nor learned from."""
    asked = pairs(split.target, user, item)
    assert len(asked) == split.target.sum() == split.description.n_targets
    assert not set(asked) & set(pairs(split.fold_in, user, item))
    assert not set(asked) & set(pairs(split.train, user, item))
    assert set(user[split.fold_in]) <= set(user[split.target])
    assert split.description.n_users == len(set(user[split.target]))


@given(
    events=EVENTS,
    seed=SEEDS,
    share=st.sampled_from([0.2, 0.5]),
    items=st.sampled_from(["train", "all"]),
)
def test_strong_generalisation(events, seed, share, items):
    """Nothing of test users and of those left out is in training; the share is Liang's."""
    user, item, _ = columns(events)
    tested, left_out = draw_users(5, sizes=(2, 1), seed=seed)
    split = strong_generalisation(
        user, item, test_users=tested, left_out_users=left_out, target_share=share, min_items=3,
        items=items, seed=seed,
    )  # fmt: skip
    check_nothing_twice(split, user, item)
    assert not set(user[split.train]) & {*tested, *left_out}
    assert set(user[split.target]) <= set(tested)
    everywhere = set(item[split.train]) if items == "train" else set(item)
    for each in tested:
        own = set(item[user == each]) & everywhere
        asked = set(item[split.target & (user == each)])
        assert len(asked) == (max(1, int(share * len(own) + 1e-9)) if len(own) >= 3 else 0)
        assert asked <= own
        if asked:
            assert set(item[split.fold_in & (user == each)]) == own - asked
    if items == "train":
        assert split.description.n_targets_unknown == 0


@given(events=EVENTS, seed=SEEDS)
def test_random_pairs(events, seed):
    """Half of everybody's items, and what is not asked is shown."""
    user, item, _ = columns(events)
    split = random_pairs(user, item, share=0.5, seed=seed)
    check_nothing_twice(split, user, item)
    for each in set(user.tolist()):
        own = set(item[user == each])
        asked = set(item[split.target & (user == each)])
        assert len(asked) == (len(own) // 2 if len(own) > 1 else 0)
        assert set(item[split.train & (user == each)]) == own - asked


@given(events=EVENTS, seed=SEEDS)
def test_cold_items(events, seed):
    """An item is asked or learned from, never both, and some are asked."""
    user, item, _ = columns(events)
    split = cold_items(user, item, share=0.4, seed=seed)
    check_nothing_twice(split, user, item)
    assert not set(item[split.target]) & set(item[split.train])
    there = len(set(item))
    assert len(set(item) - set(item[split.train])) == (
        max(1, int(0.4 * there + 1e-9)) if there else 0
    )
    assert split.description.n_targets_unknown == split.description.n_targets
    warm_users = set(user[split.train])
    asked = set(user[~split.train])
    assert set(user[split.target]) == asked & warm_users
    assert split.description.n_users_without_target == len(asked - warm_users)


@given(events=EVENTS, order=st.randoms(use_true_random=False), seed=SEEDS)
def test_order_of_events_does_not_matter(events, order, seed):
    """The same log in another order asks for the same items."""
    user, item, _ = columns(events)
    shuffled = np.array(order.sample(range(len(user)), len(user)), dtype=np.int64)
    for rule in (random_pairs, cold_items):
        first = rule(user, item, share=0.5, seed=seed)
        second = rule(user[shuffled], item[shuffled], share=0.5, seed=seed)
        assert pairs(first.target, user, item) == pairs(
            second.target, user[shuffled], item[shuffled]
        )


def test_seed_decides():
    """The same seed asks for the same items, another for others."""
    user, item = np.repeat(np.arange(20), 10), np.tile(np.arange(10), 20)
    first, again, other = (random_pairs(user, item, share=0.3, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.target, again.target)
    assert (first.target != other.target).any()
    assert (
        draw_users(9, sizes=(3,), seed=1)[0].tolist()
        != draw_users(9, sizes=(3,), seed=2)[0].tolist()
    )


def test_fixed_files():
    """Known pairs, doubles and strangers are not asked for; items not in training are."""
    user = np.array([0, 0, 1, 0, 0, 0, 1, 2])
    item = np.array([0, 1, 0, 1, 2, 2, 3, 0])
    is_test = np.array([False, False, False, True, True, True, True, True])
    split = fixed_split(user, item, is_test=is_test, name="two files")
    assert pairs(split.target, user, item) == [(0, 2), (1, 3)]
    check_nothing_twice(split, user, item)
    words = split.description.words()
    assert words["split"] == "fixed files: two files"
    assert words["targets"] == "2, 2 of items not in training"
    assert words["users"] == "2 judged, 1 without a target"
    with pytest.raises(ValueError, match="both files must hold rows, got 8 and 0"):
        fixed_split(user, item, is_test=np.zeros(8, dtype=bool), name="")


def test_split_as_matrices():
    """Rows of fold-in and target are the judged users; events of a pair weigh once, or summed."""
    user, item = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 0, 1])
    is_test = np.array([False, False, True, False, False, True])
    split = fixed_split(user, item, is_test=is_test, name="")
    rows = split_rows(split, user, item, n_users=3, n_items=2)
    assert rows.users.tolist() == [0, 2]
    assert rows.train.toarray().tolist() == [[1, 0], [0, 1], [1, 0]]
    assert rows.fold_in.toarray().tolist() == [[1, 0], [1, 0]]
    assert rows.target.toarray().tolist() == [[0, 1], [0, 1]]
    weighed = split_rows(split, user, item, n_users=3, n_items=2, weight=np.full(6, 0.5))
    assert weighed.train.toarray().tolist() == [[1, 0], [0, 0.5], [0.5, 0]]
    assert weighed.target.toarray().tolist() == [[0, 1], [0, 1]]
    assert {matrix.dtype for matrix in weighed[:3]} == {np.dtype(np.float32)}


def test_draw_of_too_many_users_is_refused():
    """Groups are disjoint, so there must be enough."""
    first, second = draw_users(10, sizes=(4, 6), seed=0)
    assert sorted([*first, *second]) == list(range(10))
    with pytest.raises(ValueError, match="at most 3 users can be drawn"):
        draw_users(3, sizes=(2, 2), seed=0)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_outside_its_range_is_refused(share):
    """All or nothing is no split."""
    empty = np.zeros(0, dtype=np.int64)
    with pytest.raises(ValueError, match=f"the share must be between 0 and 1, got {share}"):
        random_pairs(empty, empty, share=share, seed=0)
    with pytest.raises(ValueError, match="min_items must be at least 2, got 1"):
        strong_generalisation(empty, empty, test_users=empty, min_items=1, seed=0)
