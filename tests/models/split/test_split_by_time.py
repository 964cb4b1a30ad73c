"""Splits at a moment and at the end of each user: no leak, nothing twice, the slow one agrees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.split.split import leave_last_n, temporal_cut, user_temporal
from models.split.split_result import Split, check_events
from tests.models.events import EVENTS, columns, pairs


def check_no_leak(split: Split, user, item, time) -> None:
    """Whatever the rule: what is asked is not shown, comes after what is shown, and once."""
    asked = pairs(split.target, user, item)
    assert len(asked) == split.target.sum() == split.description.n_targets
    assert not set(asked) & set(pairs(split.fold_in, user, item))
    judged = set(user[split.target])
    assert set(user[split.fold_in]) <= judged
    assert split.description.n_users == len(judged)
    for each in judged:
        shown, wanted = (time[mask & (user == each)] for mask in (split.fold_in, split.target))
        assert shown.size
        assert shown.max() <= wanted.min()


@given(events=EVENTS, cut=st.integers(0, 9), share=st.sampled_from([None, 0.5, 0.8]))
def test_cut_keeps_the_future_from_training(events, cut, share):
    """Training ends before the cut, for everybody, and no target begins before it."""
    user, item, time = columns(events)
    split = temporal_cut(user, item, time, cut=cut, fold_in_share=share)
    check_no_leak(split, user, item, time)
    np.testing.assert_array_equal(split.train, time < cut)
    assert (time[split.target] >= cut).all()
    assert split.description.leak == "none"
    old = set(user[split.train])
    for each in old:
        known = set(item[(user == each) & split.train])
        met = set(item[(user == each) & ~split.train]) - known
        assert set(item[split.target & (user == each)]) == met
    after = set(user[~split.train])
    assert len(after) == split.description.n_users + split.description.n_users_without_target


@given(events=EVENTS, cut=st.integers(0, 9))
def test_what_happens_after_the_cut_does_not_change_training(events, cut):
    """Two logs that agree until the cut give the same training events, and the same fold-in."""
    user, item, time = columns(events)
    changed = np.where(time >= cut, (item + 1) % 7, item)
    first, second = (temporal_cut(user, each, time, cut=cut) for each in (item, changed))
    assert (item[first.train] == changed[second.train]).all()
    np.testing.assert_array_equal(first.train, second.train)


@given(events=EVENTS, n=st.integers(1, 3))
def test_last_items_of_each_user(events, n):
    """The n items met last are asked, of users with more than n."""
    user, item, time = columns(events)
    split = leave_last_n(user, item, time, n=n)
    check_no_leak(split, user, item, time)
    check_ends(split, (user, item, time), lambda n_items: n if n_items > n else 0)


@given(events=EVENTS, share=st.sampled_from([0.2, 0.5, 0.9]))
def test_last_share_of_each_user(events, share):
    """The last share is asked, rounded down, one at least of two or more."""
    user, item, time = columns(events)
    split = user_temporal(user, item, time, share=share)
    check_no_leak(split, user, item, time)
    check_ends(
        split,
        (user, item, time),
        lambda n_items: max(1, int(share * n_items + 1e-9)) if n_items > 1 else 0,
    )


def check_ends(split: Split, events, n_asked) -> None:
    """Compare with a loop over users: what is asked, and what may be learned from."""
    user, item, time = events
    for each in set(user.tolist()):
        rows = sorted(np.flatnonzero(user == each), key=lambda row: (time[row], row))
        firsts = [row for k, row in enumerate(rows) if item[row] not in item[rows[:k]]]
        asked = firsts[len(firsts) - n_asked(len(firsts)) :]
        assert set(np.flatnonzero(split.target & (user == each))) == set(asked)
        known = rows[: rows.index(asked[0])] if asked else rows
        assert set(np.flatnonzero(split.train & (user == each))) == set(known)


def test_new_users_are_judged_only_if_asked_for():
    """Somebody first met after the cut has nothing to show, unless some of it is."""
    user, item, time = (
        np.array([0, 0, 1, 1, 1]),
        np.array([0, 1, 0, 1, 2]),
        np.array([1, 9, 7, 8, 9]),
    )
    without = temporal_cut(user, item, time, cut=5)
    assert without.target.tolist() == [False, True, False, False, False]
    assert (without.description.n_users, without.description.n_users_without_target) == (1, 1)
    shown = temporal_cut(user, item, time, cut=5, fold_in_share=0.5)
    assert shown.fold_in.tolist() == [True, False, True, True, False]
    assert shown.target.tolist() == [False, True, False, False, True]
    assert shown.train.tolist() == [True, False, False, False, False]
    assert shown.description.n_targets_unknown == 2


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_outside_its_range_is_refused(share):
    """All or nothing is no split."""
    empty = np.zeros(0, dtype=np.int64)
    with pytest.raises(ValueError, match=f"share must be between 0 and 1, got {share}"):
        user_temporal(empty, empty, empty, share=share)
    with pytest.raises(ValueError, match=f"fold_in_share must be between 0 and 1, got {share}"):
        temporal_cut(empty, empty, empty, cut=0, fold_in_share=share)


def test_columns_that_do_not_fit_are_refused():
    """Lengths, numbers and times."""
    two, three = np.arange(2), np.arange(3)
    with pytest.raises(ValueError, match=r"equally long, got \[2, 3\]"):
        check_events(two, two, three)
    with pytest.raises(ValueError, match="numbered from 0, got -1"):
        leave_last_n(two - 1, two, two)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        leave_last_n(two, two, two, n=0)
    with pytest.raises(ValueError, match="time must be finite"):
        temporal_cut(two, two, np.array([0.0, np.nan]), cut=1)
