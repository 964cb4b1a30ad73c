"""Popularity, novelty, diversity, calibration and lift: by hand and by their definitions."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy

from models.metric.beyond_accuracy import (
    Catalogue,
    average_popularity,
    calibration,
    diversity_by_category,
    diversity_by_embedding,
    novelty,
    popularity_lift,
)
from tests.models.metric.test_exposure import lists

N_ITEMS = 7
CATEGORIES = st.lists(st.integers(-1, 3), min_size=N_ITEMS, max_size=N_ITEMS).map(np.array)
FACTORS = arrays(np.float32, (N_ITEMS, 3), elements=st.integers(-2, 2).map(float))


def shown(rows: list[set[int]], n_items: int = N_ITEMS) -> sp.csr_array:
    """Return histories as a matrix."""
    dense = np.zeros((len(rows), n_items), np.float32)
    for user, items in enumerate(rows):
        dense[user, sorted(items)] = 0.5
    return sp.csr_array(dense)


def catalogue(category=None, embedding=None) -> Catalogue:
    """Return seven items, the first met by all of eight users, the last by nobody."""
    counts = np.array([8, 4, 2, 1, 1, 1, 0])
    return Catalogue(counts=counts, n_users=8, category=category, embedding=embedding)


def test_popularity_and_novelty_by_hand():
    """Shares of users, and bits; what nobody has met is as novel as what one has."""
    items = np.array([[0, 1], [2, -1], [6, 3], [-1, -1]])
    got = average_popularity(items, catalogue())
    np.testing.assert_allclose(got, [0.75, 0.25, 0.0625, np.nan])
    np.testing.assert_allclose(novelty(items, catalogue()), [0.5, 2.0, 3.0, np.nan])


@given(items=lists(N_ITEMS), category=CATEGORIES)
def test_diversity_by_category_is_over_all_pairs(items, category):
    """Pairs of items that have a category."""
    got = diversity_by_category(items, catalogue(category))
    for row, value in zip(items, got, strict=True):
        known = [category[item] for item in row if item >= 0 and category[item] >= 0]
        pairs = list(itertools.combinations(known, 2))
        expected = np.mean([a != b for a, b in pairs]) if pairs else np.nan
        np.testing.assert_allclose(value, expected)


@given(items=lists(N_ITEMS), E=FACTORS)
def test_diversity_by_embedding_is_over_all_pairs(items, E):
    """One less the cosine; an item without a direction is at 1 from all."""
    before = E.copy()
    got = diversity_by_embedding(items, catalogue(embedding=E))
    np.testing.assert_array_equal(E, before)
    length = np.maximum(np.linalg.norm(E, axis=1), 1e-9)
    cosine = (E / length[:, None]) @ (E / length[:, None]).T
    for row, value in zip(items, got, strict=True):
        pairs = list(itertools.combinations(row[row >= 0], 2))
        expected = np.mean([1 - cosine[a, b] for a, b in pairs]) if pairs else np.nan
        np.testing.assert_allclose(value, expected, atol=1e-6)


@given(items=lists(N_ITEMS), category=CATEGORIES, data=st.data())
def test_calibration_is_the_divergence_of_steck(items, category, data):
    """Kullback-Leibler of history and smoothed list, as scipy computes it."""
    sets = st.lists(
        st.sets(st.integers(0, 6)), min_size=len(items), max_size=len(items)
    )  # histories
    histories = data.draw(sets)
    got = calibration(items, shown(histories), catalogue(category), smoothing=0.01)
    for row, history, value in zip(items, histories, got, strict=True):
        counts = [
            np.bincount(category[each][category[each] >= 0], minlength=4)
            for each in (np.array(sorted(history), dtype=int), row[row >= 0])
        ]
        if not all(count.sum() for count in counts):
            assert np.isnan(value)
            continue
        p, q = (count / count.sum() for count in counts)
        assert value == pytest.approx(entropy(p, 0.99 * q + 0.01 * p), abs=1e-12)


def test_list_like_the_history_is_calibrated():
    """Seven in ten of one category stay seven in ten; a list of one category only does not."""
    category = np.repeat([0, 1], [70, 30])
    items = Catalogue(counts=np.ones(100), n_users=9, category=category)
    history = shown([set(range(0, 100, 10))] * 2, 100)
    rows = np.array([[1, 2, 3, 4, 5, 6, 7, 71, 72, 73], list(range(1, 11))])
    true, false = calibration(rows, history, items)
    assert true == pytest.approx(0.0, abs=1e-12)
    assert false > 0.5


def test_popularity_lift_by_hand():
    """Lists of mean popularity 0.75 and 0.25 after histories of 0.25 and 0.25: twice as popular."""
    items, history = np.array([[0, 1], [2, -1], [-1, -1]]), shown([{2}, {2}, {0}])
    values = popularity_lift(items, history, catalogue())
    assert np.isnan(values).tolist() == [False, False, True]
    assert np.nanmean(values) == pytest.approx(1.0)


def test_error_of_popularity_lift_is_that_of_a_ratio():
    """The spread of the values agrees with leaving out one user at a time."""
    rng = np.random.default_rng(2)
    n, n_items = 300, 50
    counts = rng.integers(1, 400, n_items)
    items = np.array([rng.permutation(n_items)[:5] for _ in range(n)])
    history = shown([set(rng.permutation(n_items)[:8].tolist()) for _ in range(n)], n_items)
    known = Catalogue(counts=counts, n_users=400)
    values = popularity_lift(items, history, known)
    everybody = np.arange(n)
    without = np.array(
        [
            popularity_lift(items[rest], history[rest], known).mean()
            for rest in (np.delete(everybody, user) for user in range(n))
        ]
    )
    jackknife = np.sqrt((n - 1) / n * np.square(without - without.mean()).sum())
    assert values.std(ddof=1) / n**0.5 == pytest.approx(jackknife, rel=0.01)


def test_what_the_catalogue_does_not_know_is_refused():
    """A metric without its ground is no number."""
    items, history = np.array([[0, 1]]), shown([{2}])
    with pytest.raises(ValueError, match="needs a catalogue with categories, got none"):
        diversity_by_category(items, catalogue())
    with pytest.raises(ValueError, match="needs a catalogue with embeddings, got none"):
        diversity_by_embedding(items, catalogue())
    with pytest.raises(ValueError, match=r"smoothing must be between 0 and 1, got 0\.0"):
        calibration(items, history, catalogue(np.zeros(7, dtype=int)), smoothing=0.0)
