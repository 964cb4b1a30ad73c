"""Three states: false alarms as rare as stated, shifts found, too little data said to be so."""

import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import binomtest

from models.statistics.count_drift import (
    cells_of_equal_mass,
    jensen_shannon,
    population_stability,
    summed,
)
from models.statistics.drift_state import (
    INDEPENDENT,
    design_effect,
    drift_state,
    effective_size,
    gap_noise,
    jensen_shannon_of,
    ratio_noise,
    share_noise,
    stability_noise,
)

ALARM, N_ITEMS, N_GROUPS, N_NIGHTS = 0.01, 500, 32, 400
POPULARITY = 1.0 / np.arange(1, N_ITEMS + 1) ** 0.8
SHIFTED = np.roll(POPULARITY, 15)


def night(rng, n_users, popularity, *, per_user=8.0):
    """Events of users who come back to two items of theirs: item and user of each."""
    shares = popularity / popularity.sum()
    favourites = rng.choice(N_ITEMS, size=(n_users, 2), p=shares)
    user = np.repeat(np.arange(n_users), 1 + rng.geometric(1.0 / per_user, n_users))
    return favourites[user, rng.integers(0, 2, len(user))], user


def states(rng, n_users, popularity, *, limit, n_days=7):
    """The states of both distances of one night against some before, each of other users."""
    item, user = night(rng, n_users, popularity)
    counts = np.bincount(item, minlength=N_ITEMS)
    before = [night(rng, n_users, POPULARITY)[0] for _ in range(n_days)]
    reference = np.bincount(np.concatenate(before), minlength=N_ITEMS)
    cell = cells_of_equal_mass(counts + reference, n_cells=20)
    x, y = summed(counts, cell), summed(reference, cell)
    groups = np.zeros((N_GROUPS, len(x)), np.int64)
    np.add.at(groups, (rng.integers(0, N_GROUPS, n_users)[user], cell[item]), 1)
    noise = stability_noise(
        int(x.sum()), int(y.sum()), len(x), effect=design_effect(groups), false_alarm=ALARM
    )
    return (
        drift_state(population_stability(x, y), noise, limit),
        drift_state(jensen_shannon(x, y), jensen_shannon_of(noise), jensen_shannon_of(limit)),
    )


def seen(n_users, popularity, *, limit, n_nights=N_NIGHTS):
    """How often each state came up, for each distance."""
    rng = np.random.default_rng(n_users)
    found = [states(rng, n_users, popularity, limit=limit) for _ in range(n_nights)]
    return [Counter(each) for each in zip(*found, strict=True)]


def is_at_most(count, n, level):
    """Whether so many of n go with a probability of at most level."""
    return binomtest(count, n, level, alternative="greater").pvalue > 0.01


@pytest.mark.parametrize(("n_users", "limit"), [(350, 0.12), (250, 0.16), (600, 0.08)])
def test_equal_nights_are_called_a_drift_as_rarely_as_stated(n_users, limit):
    """At limits that are hardly above the noise, where false alarms are most likely."""
    for found in seen(n_users, POPULARITY, limit=limit):
        assert found["ok"] > N_NIGHTS // 10
        assert is_at_most(found["drift"], N_NIGHTS, ALARM)


def test_a_real_shift_is_found():
    """Users and limit as above; other items are the popular ones."""
    for found in seen(600, SHIFTED, limit=0.1, n_nights=50):
        assert found == {"drift": 50}


def test_too_few_rows_are_said_to_be_too_few():
    """Whether or not anything changed."""
    for popularity in (POPULARITY, SHIFTED):
        for found in seen(40, popularity, limit=0.25, n_nights=50):
            assert found == {"not enough data": 50}


@pytest.mark.parametrize("n", [250, 1000, 20_000])
def test_noise_is_exceeded_as_often_as_stated(n):
    """By independent draws, without any limit."""
    rng = np.random.default_rng(n)
    shares = np.full(8, 1 / 8)
    noise = stability_noise(n, 4 * n, 8, effect=INDEPENDENT, false_alarm=0.1)
    beyond = sum(
        population_stability(rng.multinomial(n, shares), rng.multinomial(4 * n, shares)) > noise
        for _ in range(2000)
    )
    assert beyond / 2000 == pytest.approx(0.1, abs=0.02)


def test_noise_known_by_hand():
    """Two cells, 100 and 300 events: (1/100 + 1/300) times the table's 6.635."""
    noise = stability_noise(100, 300, 2, effect=INDEPENDENT, false_alarm=0.01)
    assert noise == pytest.approx(4 / 300 * 6.6349, rel=1e-4)
    assert stability_noise(19, 300, 2, effect=INDEPENDENT, false_alarm=0.01) == math.inf
    assert stability_noise(100, 300, 1, effect=INDEPENDENT, false_alarm=0.01) == math.inf
    with pytest.raises(ValueError, match="false_alarm must be between 0 and 1, got 1"):
        stability_noise(100, 300, 2, effect=INDEPENDENT, false_alarm=1.0)


def test_design_effect_is_the_size_of_a_clump():
    """Events that come in fours are a fourth of the evidence; single ones have no effect."""
    rng = np.random.default_rng(0)
    single = rng.multinomial(2000, np.full(10, 0.1), size=N_GROUPS)
    assert design_effect(single).factor == pytest.approx(1.0, abs=0.15)
    assert design_effect(4 * single).factor == pytest.approx(4.0, abs=0.5)
    assert design_effect(single[:1]) == design_effect(single[:, :1]) == INDEPENDENT


@pytest.mark.parametrize(
    ("value", "noise", "limit", "state"),
    [
        (0.2, 0.05, 0.1, "drift"),
        (0.08, 0.05, 0.1, "ok"),
        (0.1, 0.1, 0.1, "ok"),
        (0.2, 0.15, 0.1, "not enough data"),
        (9.0, 0.15, None, "ok"),
        (0.0, math.inf, None, "not enough data"),
        (0.0, math.inf, math.inf, "not enough data"),
    ],
)
def test_the_rule(value, noise, limit, state):
    """Sharp at the limit; no limit lets nothing be a drift."""
    assert drift_state(value, noise, limit) == state


def test_shares_of_clumps_differ_by_chance_as_rarely_as_stated():
    """Fives of events are new together."""
    rng = np.random.default_rng(1)
    n, before = 400, 2000
    noise = share_noise(0.1, 5 * n, 5 * before, effect=5.0, false_alarm=0.05)
    changes = rng.binomial(n, 0.1, 4000) / n - rng.binomial(before, 0.1, 4000) / before
    assert np.mean(np.abs(changes) > noise) == pytest.approx(0.05, abs=0.015)
    assert share_noise(0.0, 0, 10, effect=1.0, false_alarm=0.05) == math.inf
    assert share_noise(0.0, 100, 1000, effect=1.0, false_alarm=0.05) > 0.0


def test_volumes_differ_by_chance_as_rarely_as_stated():
    """The logarithm of a ratio of two counts."""
    rng = np.random.default_rng(2)
    noise = ratio_noise(400.0, 1600.0, false_alarm=0.05)
    ratios = np.log(rng.poisson(400, 4000) / (rng.poisson(1600, 4000) / 4))
    assert np.mean(np.abs(ratios) > noise) == pytest.approx(0.05, abs=0.015)
    assert ratio_noise(0.0, 10.0, false_alarm=0.05) == math.inf


def test_silence_lasts_as_long_by_chance_as_stated():
    """Of events spread evenly over a day."""
    rng = np.random.default_rng(3)
    noise = gap_noise(48.0, hours=24.0, false_alarm=0.05)
    silence = 24.0 - rng.uniform(0.0, 24.0, (4000, 48)).max(axis=1)
    assert np.mean(silence > noise) == pytest.approx(0.05, abs=0.015)
    assert gap_noise(0.0, hours=24.0, false_alarm=0.05) == math.inf


def test_events_of_one_user_are_one_piece_of_evidence():
    """Ten users of ten events each are ten; nobody is nothing."""
    assert effective_size(100, 10 * 10**2) == 10.0
    assert effective_size(0, 0) == 0.0
