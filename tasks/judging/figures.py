"""Figures of a judgement: means over users with errors and intervals, and what they can show."""

import numpy as np

from data_contracts.config import NightlyConfig
from data_contracts.manifests import Interval
from models.statistics.bootstrap import differences, estimate_all
from models.statistics.power import detectable_difference
from tasks.judging.guards import CHANGE
from tasks.judging.measuring import CHALLENGER, CHAMPION, Measured, PerUser, list_change

Intervals = dict[str, Interval]  # metric -> mean over users


def estimate_figures(
    measured: dict[str, Measured], config: NightlyConfig, n_items: int
) -> dict[str, Intervals]:
    """Return the figures of every model and of the gains, all from the same draws of users.

    Args:
        measured: the models; the challenger is compared with each of the others.
        config: resamples, confidence and seed.
        n_items: size of the vocabulary.

    Returns:
        "challenger", "over champion" and so on; empty where nobody is judged.
    """
    columns = {name: each.values for name, each in measured.items()}
    challenger = measured[CHALLENGER]
    for name in (each for each in measured if each != CHALLENGER):
        columns[f"over {name}"] = differences(challenger.values, measured[name].values)
    if CHAMPION in measured:
        change = list_change(challenger, measured[CHAMPION], n_items)
        columns[f"over {CHAMPION}"] |= {CHANGE: change}
    if not len(challenger.items):
        return {name: {} for name in columns}
    return _intervals(columns, config)


def _intervals(columns: dict[str, PerUser], config: NightlyConfig) -> dict[str, Intervals]:
    flat = {(name, metric): each for name in columns for metric, each in columns[name].items()}
    numbered = {str(place): values for place, values in enumerate(flat.values())}
    estimates = estimate_all(
        numbered, n_resamples=config.evaluation.n_bootstrap,
        confidence=config.evaluation.confidence, seed=config.seed,
    )  # fmt: skip
    found: dict[str, Intervals] = {name: {} for name in columns}
    for (name, metric), (mean, error, low, high, n_users) in zip(
        flat, estimates.values(), strict=True
    ):
        if n_users:
            found[name][metric] = Interval(
                mean=mean, low=low, high=high, n_users=n_users,
                standard_error=None if np.isnan(error) else error,
            )  # fmt: skip
    return found


def detectable(gains: Intervals, config: NightlyConfig) -> dict[str, float]:
    """Return the smallest difference of every metric that so many users show."""
    confidence, power = config.evaluation.confidence, config.gate.power
    return {
        name: detectable_difference(each.standard_error, confidence=confidence, power=power)
        for name, each in gains.items()
        if each.standard_error is not None
    }
