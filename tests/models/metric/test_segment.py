"""Segments: by hand, and figures by segment are those of the segment's users alone."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.metric.segment import (
    TIERS,
    activity_segment,
    by_segment,
    category_segment,
    item_tier,
    new_user_segment,
)

VALUE = st.one_of(st.just(np.nan), st.floats(-1, 1))


@given(rows=st.lists(st.tuples(VALUE, st.integers(-1, 2)), max_size=12))
def test_figures_are_those_of_the_users_alone(rows):
    """Mean, standard error and number, without those who have no value or no segment."""
    values = np.array([value for value, _ in rows], dtype=np.float64)
    segment = np.array([place for _, place in rows], dtype=np.int64)
    got = by_segment(values, segment, ("a", "b", "c"))
    for place, name in enumerate("abc"):
        own = values[(segment == place) & ~np.isnan(values)]
        mean, error, n = got[name]
        assert n == len(own)
        assert mean == pytest.approx(own.mean() if n else np.nan, nan_ok=True, abs=1e-12)
        expected = own.std(ddof=1) / n**0.5 if n > 1 else np.nan
        assert error == pytest.approx(expected, nan_ok=True, abs=1e-12)


def test_activity_and_new_users():
    """Bounds are the smallest numbers of the later segments."""
    segment, names = activity_segment(np.array([0, 4, 5, 19, 20, 99]), bounds=(5, 20))
    assert names == ("0 to 4", "5 to 19", "20 and more")
    assert segment.tolist() == [0, 0, 1, 1, 2, 2]
    segment, names = new_user_segment(np.array([0, 3]))
    assert [names[place] for place in segment] == ["new", "known"]
    with pytest.raises(ValueError, match=r"bounds must rise from 1, got \(5, 5\)"):
        activity_segment(np.array([1]), bounds=(5, 5))


def test_commonest_category():
    """Of equals the lowest; of nothing known none."""
    history = sp.csr_array(np.array([[1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]))
    category = np.array([1, 0, 0, -1])
    assert category_segment(history, category, n_categories=2).tolist() == [0, 0, -1, -1]
    nothing = np.full(4, -1)
    assert category_segment(history, nothing, n_categories=0).tolist() == [-1] * 4


def test_tiers_share_the_interactions():
    """Half of ten interactions is the first item, nine tenths the next two, then the tail."""
    tier = item_tier(np.array([1, 5, 2, 2, 0]), shares=(0.5, 0.9))
    assert [TIERS[place] for place in tier] == ["tail", "head", "mid", "mid", "tail"]


@given(counts=st.lists(st.integers(0, 20), max_size=12))
def test_tiers_follow_popularity(counts):
    """A more popular item is never in a lower tier, and the head holds half of the whole."""
    counts = np.array(counts, dtype=np.int64)
    tier = item_tier(counts)
    order = np.argsort(-counts, kind="stable")
    assert (np.diff(tier[order]) >= 0).all()
    if counts.sum():
        assert counts[tier == 0].sum() >= 0.5 * counts.sum()
        assert counts[tier <= 1].sum() >= 0.9 * counts.sum() - 1e-9


def test_shares_that_fall_are_refused():
    """Head and mid cannot be less than head."""
    with pytest.raises(ValueError, match=r"shares must rise from 0 to at most 1, got \(0.9, 0.5\)"):
        item_tier(np.array([1]), shares=(0.9, 0.5))
