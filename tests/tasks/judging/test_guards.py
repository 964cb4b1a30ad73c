"""Guards: what a challenger may lose beside the primary metric."""

import pytest

from data_contracts.config import GateConfig
from data_contracts.manifests import Interval
from models.statistics.gate import decide
from tasks.judging.guards import CHANGE, COVERAGE, FALLBACK, LIFT, gain, guards

SAME = {name: Interval(mean=0.0, low=-0.01, high=0.01) for name in (COVERAGE, LIFT, FALLBACK)}
CHAMPION = {COVERAGE: Interval(mean=0.5, low=0.48, high=0.52)}
NDCG = Interval(mean=0.01, low=0.002, high=0.018)


def verdict(**changes):
    """The verdict on a challenger with a better primary metric."""
    over_champion = SAME | {name: interval(mean) for name, mean in changes.items()}
    config = GateConfig(max_list_change=0.4)
    return decide(
        metric="ndcg@100", n_users=2000, min_users=100, over_popularity=gain(NDCG),
        over_champion=gain(NDCG), tolerated_loss=0.005,
        guards=guards(config, over_champion, CHAMPION),
    )  # fmt: skip


def interval(mean):
    """A figure that is known well."""
    return Interval(mean=mean, low=mean - 0.01, high=mean + 0.01)


def test_better_model_that_keeps_the_rest_is_promoted():
    """The sentence names what was looked at."""
    told = "within what is tolerated: coverage@20, popularity_lift@20, fallback_share"
    assert verdict()[0] == "promote"
    assert told in verdict()[1]


@pytest.mark.parametrize(
    ("name", "mean", "expected"),
    [
        (COVERAGE, -0.13, "promote"), (COVERAGE, -0.17, "reject"), (COVERAGE, 0.4, "promote"),
        (LIFT, 0.48, "promote"), (LIFT, 0.52, "reject"), (LIFT, -3.0, "promote"),
        (FALLBACK, 0.03, "promote"), (FALLBACK, 0.07, "reject"),
        (CHANGE, 0.3, "promote"), (CHANGE, 0.5, "hold"),
    ],
)  # fmt: skip
def test_each_guard_has_a_direction_and_a_limit(name, mean, expected):
    """Coverage may fall by three tenths, and so on; changed lists are held, not rejected."""
    got, told = verdict(**{name: mean})
    assert got == expected
    assert expected == "promote" or name in told


def test_nothing_measured_guards_nothing():
    """And lists may change altogether unless a limit is set."""
    assert guards(GateConfig(), {}, {}) == []
    assert guards(GateConfig(), {CHANGE: interval(1.0)}, {}) == []
