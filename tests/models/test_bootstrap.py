"""Bootstrap: a known interval, honest coverage, gain by pairing, bounded memory."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from models.bootstrap import paired_bootstrap

SETTINGS = {"n_resamples": 1000, "confidence": 0.95, "seed": 0}


def test_interval_is_that_of_scipy():
    """The percentile interval of another implementation, up to the luck of the draw."""
    values = np.random.default_rng(1).exponential(size=300)
    mean, low, high = paired_bootstrap(values, **SETTINGS | {"n_resamples": 20_000})
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=2
    ).confidence_interval
    assert mean == pytest.approx(values.mean())
    np.testing.assert_allclose([low, high], theirs, atol=0.05 * (high - low))


def test_seed_decides():
    """The same seed draws the same resamples."""
    values = np.random.default_rng(1).random(50)
    first, again = (paired_bootstrap(values, **SETTINGS) for _ in range(2))
    assert first == again
    assert first != paired_bootstrap(values, **SETTINGS | {"seed": 1})


def test_interval_covers_the_truth_as_often_as_it_says():
    """Of 400 intervals at 90 %, between 84 % and 95 % hold the true mean."""
    rng = np.random.default_rng(5)
    intervals = [
        paired_bootstrap(rng.normal(3.0, 1.0, 80), n_resamples=300, confidence=0.9, seed=seed)
        for seed in range(400)
    ]
    covered = np.mean([low <= 3.0 <= high for _, low, high in intervals])
    assert 0.84 < covered < 0.95


def test_pairing_narrows_the_interval():
    """What makes a user hard for both models is not what tells them apart."""
    rng = np.random.default_rng(2)
    hard = rng.normal(0.0, 1.0, 500)
    ours, theirs = (hard + rng.normal(shift, 0.1, 500) for shift in (0.05, 0.0))
    _, low, high = paired_bootstrap(ours - theirs, **SETTINGS)
    assert low > 0.0
    unpaired = paired_bootstrap(ours - rng.permutation(theirs), **SETTINGS)
    assert unpaired.low < 0.0 < unpaired.high
    assert high - low < 0.2 * (unpaired.high - unpaired.low)


def test_users_who_agree_leave_no_doubt():
    """Without variation the interval is the mean."""
    assert paired_bootstrap(np.full(30, 0.25), **SETTINGS) == (0.25, 0.25, 0.25)


def test_memory_does_not_grow_with_the_resamples():
    """All draws at once would be 640 MB."""
    values = np.zeros(400_000)
    tracemalloc.start()
    try:
        paired_bootstrap(values, **SETTINGS | {"n_resamples": 100})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100e6


def test_nobody_has_no_mean():
    """No users, no interval."""
    with pytest.raises(ValueError, match="values must hold at least one user, got none"):
        paired_bootstrap(np.array([]), **SETTINGS)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_value_that_is_not_finite_is_refused(value):
    """An interval of nan is neither below nor above anything: it would pass every gate."""
    with pytest.raises(ValueError, match=f"values must be finite, got {value}"):
        paired_bootstrap(np.array([0.5, value]), **SETTINGS)
