"""How alike two rankings are, against the definitions written out list by list."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metric.list_overlap import (
    Common,
    is_popular,
    overlap,
    rank_biased_overlap,
    shared_items,
    unchanged,
)

ITEMS = st.lists(st.integers(0, 9), min_size=1, max_size=8, unique=True)
P = st.floats(0.05, 0.98)


def common_of(pairs):
    """Arrays of the pairs of lists: common items and lengths."""
    rows = [
        (user, now.index(item) + 1, before.index(item) + 1)
        for user, (now, before) in enumerate(pairs)
        for item in now
        if item in before
    ]
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    n, n_before = (np.array([len(pair[side]) for pair in pairs]) for side in (0, 1))
    return Common(*columns), n, n_before


def naive_rbo(now, before, p):
    """Equation 32 of Webber, Moffat and Zobel, term by term."""
    short, long = sorted((now, before), key=len)
    s, length = len(short), len(long)
    X = [len(set(short[:d]) & set(long[:d])) for d in range(length + 1)]
    agreed = sum(X[d] / d * p**d for d in range(1, length + 1))
    beyond = sum(X[s] * (d - s) / (s * d) * p**d for d in range(s + 1, length + 1))
    last = (X[length] - X[s]) / length + X[s] / s
    return (1 - p) / p * (agreed + beyond) + last * p**length


@given(pairs=st.lists(st.tuples(ITEMS, ITEMS), min_size=1, max_size=6), p=P)
def test_figures_are_those_of_the_definitions(pairs, p):
    """For all users at once as for each of them alone."""
    common, n, n_before = common_of(pairs)
    rbo = rank_biased_overlap(common, n, n_before, persistence=p)
    np.testing.assert_allclose(rbo, [naive_rbo(*pair, p) for pair in pairs], atol=1e-9)
    shares = [len(set(now) & set(old)) / max(len(now), len(old)) for now, old in pairs]
    np.testing.assert_allclose(overlap(common, n, n_before), shares)
    assert unchanged(common, n, n_before).tolist() == [now == old for now, old in pairs]


@given(items=ITEMS, p=P)
def test_equal_lists_are_1_and_strangers_0(items, p):
    """Whatever the length and the persistence."""
    strangers = [item + 100 for item in items]
    both = rank_biased_overlap(*common_of([(items, items), (items, strangers)]), persistence=p)
    np.testing.assert_allclose(both, [1.0, 0.0], atol=1e-9)


def test_golden_value():
    """Two items swapped at the top of three, p = 0.5: (0 + 1/4 + 1/8) + 1/8 = 0.5."""
    pair = ([1, 2, 3], [2, 1, 3])
    assert rank_biased_overlap(*common_of([pair]), persistence=0.5) == pytest.approx(0.5)


def test_persistence_must_be_a_probability():
    """At 1 the sum would not end."""
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.0"):
        rank_biased_overlap(*common_of([([1], [1])]), persistence=1.0)


def naive_popular(ranks, met):
    """The most popular items that were not met, or met and listed all the same, in order."""
    if 0 in ranks:
        return False
    left = [place for place in range(1, 30) if place not in met or place in ranks]
    return list(ranks) == left[: len(ranks)]


RANKS = st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True)
MET = st.sets(st.integers(1, 8), max_size=5)


@given(users=st.lists(st.tuples(RANKS, MET), min_size=1, max_size=6))
def test_popular_list_is_recognised(users):
    """Leaving out what a user has met, and only that."""
    rows = [(u, k + 1, r) for u, (ranks, _) in enumerate(users) for k, r in enumerate(ranks)]
    met = [(u, r) for u, (ranks, seen) in enumerate(users) for r in sorted(seen - set(ranks))]
    user, rank, popular_rank = np.array(rows[::-1], np.int64).T
    met_user, met_rank = np.array(met, np.int64).reshape(-1, 2).T
    n = np.array([len(ranks) for ranks, _ in users])
    found = is_popular(user, rank, popular_rank, n, met_user=met_user, met_rank=met_rank)
    assert found.tolist() == [naive_popular(*user) for user in users]


def test_shared_items_are_counted_whatever_their_places():
    """Padding is no item."""
    lists = np.array([[1, 2, 3], [4, -1, -1], [-1, -1, -1]])
    others = np.array([[3, 9, 1, 0], [5, 6, -1, -1], [0, 1, 2, 3]])
    assert shared_items(lists, others, 10).tolist() == [2, 0, 0]
