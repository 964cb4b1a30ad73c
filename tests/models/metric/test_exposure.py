"""Coverage and Gini: by hand, by their definitions, and the jackknife the long way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metric.exposure import coverage, coverage_per_user, gini, gini_per_user


@st.composite
def lists(draw: st.DrawFn, n_items: int = 7, min_users: int = 1) -> np.ndarray:
    """Draw lists without doubles, some of them shorter than others, padded with -1."""
    n_users, k = draw(st.integers(min_users, 6)), draw(st.integers(1, 5))
    rows = np.full((n_users, k), -1, dtype=np.int32)
    for row in rows:
        items = draw(st.permutations(range(n_items)))[: draw(st.integers(0, k))]
        row[: len(items)] = items
    return rows


def test_by_hand():
    """One item for all is the worst, everything once is even, and unlisted items count."""
    assert gini(np.array([[0], [0]]), 4) == pytest.approx(0.75)
    assert gini(np.array([[0, 1], [2, 3]]), 4) == pytest.approx(0.0)
    assert gini(np.array([[0, 1]]), 4) == pytest.approx(0.5)
    assert coverage(np.array([[0, 1], [1, -1]]), 4) == 0.5


@given(items=lists())
def test_gini_is_the_mean_difference(items):
    """Half the mean absolute difference of exposures over their mean."""
    exposure = np.bincount(items[items >= 0], minlength=7)
    if not exposure.sum():
        assert np.isnan(gini(items, 7))
        return
    difference = np.abs(exposure[:, None] - exposure[None]).mean()
    assert gini(items, 7) == pytest.approx(difference / 2 / exposure.mean())
    assert coverage(items, 7) == len(set(items[items >= 0])) / 7


@given(items=lists(min_users=2))
@pytest.mark.parametrize(
    ("metric", "per_user"), [(coverage, coverage_per_user), (gini, gini_per_user)]
)
def test_per_user_values_are_the_jackknife(metric, per_user, items):
    """Their mean is the metric; their standard error that of leaving out one user at a time."""
    n = len(items)
    without = np.array([metric(np.delete(items, user, axis=0), 7) for user in range(n)])
    values = per_user(items, 7)
    if np.isnan(without).any():
        assert np.isnan(values).any()
        return
    assert values.mean() == pytest.approx(metric(items, 7))
    error = np.sqrt((n - 1) / n * np.square(without - without.mean()).sum())
    assert values.std(ddof=1) / n**0.5 == pytest.approx(error, abs=1e-12)


def test_a_single_user_pulls_nothing():
    """Nobody is left without them."""
    items = np.array([[0, 1]])
    assert coverage_per_user(items, 4).tolist() == [0.5]
    assert gini_per_user(items, 4).tolist() == [0.5]


def test_error_of_gini_is_honest():
    """Of 200 groups of users, the standard error told from one is the spread over all."""
    rng = np.random.default_rng(0)
    odds = 1.0 / np.arange(1, 41)
    noise = rng.gumbel(size=(20_000, 40)) + np.log(odds)
    groups = np.argsort(-noise, axis=1)[:, :5].reshape(200, 100, 5)
    values = np.array([gini_per_user(items, 40) for items in groups])
    told = np.mean(values.std(axis=1, ddof=1) / 10)
    assert told == pytest.approx(values.mean(axis=1).std(ddof=1), rel=0.15)
