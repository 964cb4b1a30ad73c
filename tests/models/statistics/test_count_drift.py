"""Distances of counts: values by hand, SciPy's, and cells that say nothing of the samples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import distance

from models.statistics.count_drift import (
    cells_of_equal_mass,
    jensen_shannon,
    join_rare,
    population_stability,
    summed,
)

COUNTS = arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 1000)).filter(np.any)
PAIRS = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        *[arrays(np.int64, n, elements=st.integers(0, 1000)).filter(np.any) for _ in range(2)]
    )
)


def test_index_known_by_hand():
    """Shares of 1/2 and 1/2 against 1/4 and 3/4; with half an event more, against 0."""
    half, quarter = np.array([10, 10]), np.array([5, 15])
    by_hand = 0.25 * math.log(2.0) + 0.25 * math.log(1.5)
    assert population_stability(half, quarter, pseudo_count=0.0) == pytest.approx(by_hand)
    p, q = (10.5 / 11, 0.5 / 11), (0.5 / 11, 10.5 / 11)
    apart = sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert population_stability(np.array([10, 0]), np.array([0, 10])) == pytest.approx(apart)


def test_distance_known_by_hand():
    """Nothing in common is 1, half in common is the square root of a half."""
    apart = np.array([7, 0]), np.array([0, 3])
    assert jensen_shannon(*apart, pseudo_count=0.0) == pytest.approx(1.0)
    half = np.array([1, 1, 0]), np.array([0, 1, 1])
    assert jensen_shannon(*half, pseudo_count=0.0) == pytest.approx(math.sqrt(0.5))
    assert jensen_shannon(*apart) < 1.0


@given(pair=PAIRS)
def test_distance_is_that_of_scipy(pair):
    """In bits, whatever the counts."""
    expected = distance.jensenshannon(*pair, base=2)
    assert jensen_shannon(*pair, pseudo_count=0.0) == pytest.approx(expected, abs=1e-7)


@given(pair=PAIRS, measure=st.sampled_from([population_stability, jensen_shannon]))
def test_distances_are_symmetric_and_nought_for_equal_shares(pair, measure):
    """Nor does it matter in which order the cells stand."""
    x, y = pair
    assert measure(x, y) == pytest.approx(measure(y, x), abs=1e-9)
    assert measure(x, y) == pytest.approx(measure(x[::-1], y[::-1]), abs=1e-7)
    assert measure(x, y) >= 0.0
    assert measure(x, x) == pytest.approx(0.0, abs=1e-7)


@given(pooled=COUNTS, n_cells=st.integers(1, 8))
def test_cells_hold_frequent_values_first(pooled, n_cells):
    """Cells are numbered without a gap, in order of frequency, no more than asked for."""
    cell = cells_of_equal_mass(pooled, n_cells=n_cells)
    assert set(cell) == set(range(cell.max() + 1))
    assert cell.max() < n_cells
    assert (np.diff(pooled[np.argsort(cell, kind="stable")]) <= 0).sum() >= cell.max()
    for low in range(cell.max()):
        assert pooled[cell == low].min() >= pooled[cell == low + 1].max()


def test_cells_are_about_as_heavy():
    """Of many rare values; one that is half of all stands alone."""
    mass = summed(np.ones(1000, np.int64), cells_of_equal_mass(np.ones(1000, np.int64), n_cells=8))
    assert mass.tolist() == [125] * 8
    cell = cells_of_equal_mass(np.array([1] * 10 + [10]), n_cells=4)
    assert (cell == cell[-1]).sum() == 1


@given(pooled=COUNTS, fewest=st.integers(1, 500))
def test_no_joined_cell_is_rare(pooled, fewest):
    """Unless all are; and what is frequent stays alone but for one that takes the rest in."""
    cell = join_rare(pooled, fewest=float(fewest))
    mass = summed(pooled, cell)
    assert mass.sum() == pooled.sum()
    assert len(mass) == 1 or mass.min() >= fewest
    alone = [(cell == cell[k]).sum() == 1 for k in np.flatnonzero(pooled >= fewest)]
    assert sum(alone) >= len(alone) - 1


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([1, -1], [1, 1], "counts must be at least 0"),
        ([1, 1], [0, 0], r"reference must be at least 0 and sum to more, got \[0, 0\]"),
    ],
)
def test_what_is_no_count_is_refused(x, y, words):
    """Both measures say why."""
    for measure in (population_stability, jensen_shannon):
        with pytest.raises(ValueError, match=words):
            measure(np.array(x), np.array(y))


def test_no_cells_and_no_mass_are_refused():
    """There must be something to put, and somewhere."""
    with pytest.raises(ValueError, match="n_cells must be at least 1, got 0"):
        cells_of_equal_mass(np.array([1]), n_cells=0)
    with pytest.raises(ValueError, match="pooled must sum to more than 0, got 0"):
        cells_of_equal_mass(np.array([0]), n_cells=1)
