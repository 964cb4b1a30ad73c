"""Bootstrap: a known interval, honest coverage, gain by pairing, bounded memory."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from models.statistics.bootstrap import bootstrap_means, differences, estimate_all, paired_bootstrap

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


def test_one_draw_serves_all_columns():
    """A column has the same figures alone, among others, and as a scaled copy."""
    values = np.random.default_rng(3).exponential(size=(200, 3))
    values[:, 2] = 2.0 * values[:, 0]
    got = bootstrap_means(values, **SETTINGS)
    for column in range(3):
        alone = paired_bootstrap(values[:, column].copy(), **SETTINGS)
        together = (got.mean[column], got.low[column], got.high[column])
        assert together == pytest.approx(alone, rel=1e-12)
    np.testing.assert_allclose(got.low[2], 2.0 * got.low[0], rtol=1e-12)
    expected = values.std(axis=0, ddof=1) / 200**0.5
    np.testing.assert_allclose(got.standard_error, expected, rtol=1e-12)


def test_users_without_a_value_take_no_part():
    """The interval is that of the others; it is a little wider where fewer are drawn by chance."""
    values = np.random.default_rng(4).normal(5.0, 1.0, (400, 2))
    values[100:, 1] = np.nan
    got = bootstrap_means(values, **SETTINGS | {"n_resamples": 4000})
    assert got.n_users.tolist() == [400, 100]
    assert got.mean[1] == pytest.approx(values[:100, 1].mean())
    alone = paired_bootstrap(values[:100, 1].copy(), **SETTINGS | {"n_resamples": 4000})
    np.testing.assert_allclose([got.low[1], got.high[1]], alone[1:], atol=0.04)
    assert got.standard_error[1] == pytest.approx(values[:100, 1].std(ddof=1) / 10)


def test_column_without_any_value_is_nan():
    """And does not disturb the others; a single value has no error."""
    values = np.array([[1.0, np.nan, 4.0], [2.0, np.nan, np.nan]])
    got = bootstrap_means(values, **SETTINGS)
    assert np.isnan([got.mean[1], got.low[1], got.high[1]]).all()
    assert got.n_users.tolist() == [2, 0, 1]
    assert (got.low[2], got.mean[2], got.high[2]) == (4.0, 4.0, 4.0)
    assert np.isnan(got.standard_error).tolist() == [False, True, True]


def test_blocks_of_resamples_follow_one_stream():
    """More users than a chunk holds for two resamples: still as many resamples, all different."""
    values = np.random.default_rng(5).random((1_500_000, 1))
    got = bootstrap_means(values, **SETTINGS | {"n_resamples": 5})
    assert got.low[0] < got.mean[0] < got.high[0]
    assert (got.high[0] - got.low[0]) == pytest.approx(3 * got.standard_error[0], rel=0.8)


def test_named_metrics_and_their_differences():
    """Names stay; what only one model has, or is one number for all, has no difference."""
    rng = np.random.default_rng(6)
    ours = {"a": rng.random(80), "b": rng.random(80), "all": np.asarray(0.5)}
    theirs = {"b": rng.random(80), "all": np.asarray(0.4), "c": rng.random(80)}
    gains = differences(ours, theirs)
    assert list(gains) == ["b"]
    figure = estimate_all(gains, **SETTINGS)["b"]
    assert figure.n_users == 80
    interval = paired_bootstrap(ours["b"] - theirs["b"], **SETTINGS)
    assert (figure.mean, figure.low, figure.high) == pytest.approx(interval)
    assert estimate_all({}, **SETTINGS) == {}
    with pytest.raises(ValueError, match="every metric must be an array over the same users"):
        estimate_all(ours, **SETTINGS)


@pytest.mark.parametrize(
    ("values", "confidence", "words"),
    [
        (np.zeros((0, 2)), 0.95, "at least one user, got none"),
        (np.array([[np.inf]]), 0.95, "must be finite or nan, got inf"),
        (np.array([[1.0]]), 1.0, r"confidence must be between 0 and 1, got 1\.0"),
    ],
)
def test_what_has_no_interval_is_refused(values, confidence, words):
    """Nobody, what is infinite, and a certainty."""
    with pytest.raises(ValueError, match=words):
        bootstrap_means(values, n_resamples=10, confidence=confidence, seed=0)
