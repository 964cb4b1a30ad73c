"""Detectable differences: found as often as stated, and users and differences agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.statistics.power import detectable_difference, users_needed


@pytest.mark.parametrize(("power", "n_tests"), [(0.8, 1), (0.95, 1), (0.8, 4)])
def test_difference_is_found_as_often_as_stated(power, n_tests):
    """Of 20,000 means around it, the share whose interval leaves out nought."""
    difference = detectable_difference(0.5, confidence=0.95, power=power, n_tests=n_tests)
    means = np.random.default_rng(0).normal(difference, 0.5, 20_000)
    limit = {1: 1.959964, 4: 2.497705}[n_tests] * 0.5  # quantiles of a table
    assert np.mean(means > limit) == pytest.approx(power, abs=0.01)


@given(
    deviation=st.floats(0.01, 10.0),
    difference=st.floats(0.01, 1.0),
    confidence=st.floats(0.5, 0.99),
    power=st.floats(0.5, 0.99),
)
def test_users_needed_are_the_fewest(deviation, difference, confidence, power):
    """With so many it is detectable; with one less it is not."""
    shares = {"confidence": confidence, "power": power}
    n = users_needed(deviation, difference=difference, **shares)
    assert detectable_difference(deviation / n**0.5, **shares) <= difference * (1 + 1e-9)
    if n > 2:
        assert detectable_difference(deviation / (n - 1) ** 0.5, **shares) > difference


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"difference": 0.0}, r"difference must be above 0, got 0\.0"),
        ({"confidence": 0.0}, r"confidence must be between 0 and 1, got 0\.0"),
        ({"power": 1.0}, r"power must be between 0 and 1, got 1\.0"),
        ({"n_tests": 0}, "n_tests must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_found_is_refused(given, words):
    """No difference, a certainty, no test."""
    plain = {"difference": 0.1, "confidence": 0.95, "power": 0.8}
    with pytest.raises(ValueError, match=words):
        users_needed(1.0, **plain | given)
