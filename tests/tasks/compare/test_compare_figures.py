"""Figures of a comparison: paired intervals against plain loops, and what may not change them."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from data_contracts.errors import HoarfrostError
from tasks.compare.compare_figures import (
    CONFIDENCE,
    N_RESAMPLES,
    SEED,
    best_of,
    estimate_models,
    read_per_user,
)


def drawn(seed: int, n_users: int, shift: float) -> np.ndarray:
    """Values of some users, hard and easy ones."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, 1.0, n_users) + shift


def test_paired_interval_by_hand():
    """The same draws of users, a loop over them, and Holm over two models."""
    base = drawn(1, 40, 0.0)
    values = {
        "best": {"ndcg@20": base},
        "near": {"ndcg@20": base + 0.1 * drawn(2, 40, -0.1)},
        "far": {"ndcg@20": base + 0.1 * drawn(3, 40, -5.0)},
    }
    intervals, found = estimate_models(values, "best")
    users = np.random.default_rng(SEED).integers(0, 40, (N_RESAMPLES, 40))
    tail = (1 - CONFIDENCE) / 2
    p_values = {}
    for name in ("near", "far"):
        difference = values[name]["ndcg@20"] - base
        means = [difference[each].mean() for each in users]
        got = found[name]["ndcg@20"]
        low, high = np.quantile(means, [tail, 1 - tail])
        assert (got.low, got.high) == pytest.approx((low, high))
        assert got.mean == pytest.approx(difference.mean())
        error = difference.std(ddof=1) / math.sqrt(40)
        assert got.standard_error == pytest.approx(error)
        p_values[name] = 2 * norm.sf(abs(difference.mean()) / error)
    assert p_values["far"] < p_values["near"]
    assert found["far"]["ndcg@20"].p_value == pytest.approx(min(1.0, 2 * p_values["far"]))
    assert found["near"]["ndcg@20"].p_value == pytest.approx(
        max(p_values["near"], min(1.0, 2 * p_values["far"]))
    )
    assert found["best"] == {}
    own = [base[each].mean() for each in users]
    assert intervals["best"]["ndcg@20"].low == pytest.approx(np.quantile(own, tail))


def test_pairing_makes_the_interval_narrow():
    """A model that is a little better for every user is told apart, however users differ."""
    base = 10 * drawn(4, 200, 0.0)
    values = {"a": {"m": base}, "b": {"m": base - 0.1 + 0.01 * drawn(5, 200, 0.0)}}
    intervals, found = estimate_models(values, "a")
    assert intervals["a"]["m"].low < intervals["b"]["m"].mean
    assert -0.11 < found["b"]["m"].low < found["b"]["m"].high < -0.09
    assert found["b"]["m"].p_value < 1e-6


@given(
    n_users=st.integers(1, 30),
    n_models=st.integers(1, 4),
    reference=st.integers(0, 3),
    seed=st.integers(0, 100),
)
def test_figures_of_any_models(n_users, n_models, reference, seed):
    """Means lie in their intervals, differences add up, probabilities are probabilities."""
    names = [f"model {place}" for place in range(n_models)]
    values = {name: {"m": drawn(seed + place, n_users, 0.0)} for place, name in enumerate(names)}
    against = names[reference % n_models]
    intervals, found = estimate_models(values, against)
    assert set(found) == set(intervals) == set(names)
    for name in (each for each in names if each != against):
        got = found[name]["m"]
        lost = intervals[name]["m"].mean - intervals[against]["m"].mean
        assert got.mean == pytest.approx(lost, abs=1e-9)
        assert got.low <= got.high
        assert 0.0 <= got.p_value <= 1.0
        assert (got.standard_error is None) == (n_users == 1)
    assert best_of(values, "m") == max(names, key=lambda each: values[each]["m"].mean())


def test_other_users_are_refused(tmp_path):
    """Differences of other people's figures would mean nothing."""
    folders = {}
    for name, users in (("a", [1, 2]), ("b", [1, 3])):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        frame = pl.DataFrame({"user_id": users, "m": [0.5, 1.0]})
        frame.write_parquet(folders[name] / "per_user.parquet")
    alone = read_per_user({"a": folders["a"]})
    assert alone["a"]["m"].tolist() == [0.5, 1.0]
    with pytest.raises(HoarfrostError, match="the same users: compare them anew"):
        read_per_user(folders)
