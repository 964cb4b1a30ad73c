"""Holm's correction: by hand, by its definition, and its promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from models.statistics.multiple_testing import holm, two_sided_p


def test_by_hand():
    """Of four: 4 x 0.005, 3 x 0.01, 2 x 0.03, and never below the one before."""
    got = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(got, [0.03, 0.06, 0.06, 0.02])


@given(p=st.lists(st.floats(0.0, 1.0), max_size=8), level=st.floats(0.001, 0.999))
def test_rejects_what_the_steps_reject(p, level):
    """From the smallest on, as long as p is below the level over the tests that are left."""
    adjusted = holm(np.array(p, dtype=np.float64))
    rejected = set()
    for place, test in enumerate(sorted(range(len(p)), key=lambda each: p[each])):
        if not p[test] * (len(p) - place) < level:
            break
        rejected.add(test)
    assert set(np.flatnonzero(adjusted < level)) == rejected


def test_family_keeps_the_level():
    """Of 4,000 families of six tests of nothing, one in twenty finds something, not one in four."""
    z = np.random.default_rng(1).normal(size=(4000, 6))
    p = 2 * norm.sf(np.abs(z))
    assert np.mean((p < 0.05).any(axis=1)) > 0.2
    assert np.mean([(holm(row) < 0.05).any() for row in p]) == pytest.approx(0.05, abs=0.01)


def test_two_sided_p():
    """Two errors are 0.0455; a sure difference has no doubt, and no difference none to have."""
    mean, error = np.array([2.0, -2.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(two_sided_p(mean, error), [0.0455, 0.0455, 0.0, 1.0], atol=1e-4)


def test_what_is_no_probability_is_refused():
    """Below 0, above 1, and nan."""
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="p-values must be between 0 and 1"):
            holm(np.array([0.5, wrong]))
