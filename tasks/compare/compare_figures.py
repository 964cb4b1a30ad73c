"""Figures of a comparison: intervals of every model, and paired differences to one of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data_contracts.comparison import Difference
from data_contracts.errors import HoarfrostError
from data_contracts.manifests import Interval
from models.rating.rating_estimate import RatingSums, bootstrap_ratings
from models.rating.rating_metric import ERRORS
from models.statistics.bootstrap import Estimate, PerUser, differences, estimate_all
from models.statistics.multiple_testing import holm, two_sided_p
from tasks.compare.compare_fit import PER_USER, SUMS, USER

CONFIDENCE, N_RESAMPLES, SEED = 0.95, 1000, 42
_HOW: dict[str, Any] = {"n_resamples": N_RESAMPLES, "confidence": CONFIDENCE, "seed": SEED}
Intervals = dict[str, Interval]
Differences = dict[str, Difference]


def read_per_user(folders: Mapping[str, Path]) -> dict[str, PerUser]:
    """Return the metrics of every judged user, per model, the users in one order.

    Args:
        folders: of the models that are finished.

    Raises:
        HoarfrostError: two models were judged on different users.
    """
    frames = {name: pl.read_parquet(folder / PER_USER) for name, folder in folders.items()}
    users = [frame[USER] for frame in frames.values()]
    if any(not each.equals(users[0]) for each in users[1:]):
        raise HoarfrostError("all models must be judged on the same users: compare them anew")
    return {
        name: {metric: frame[metric].to_numpy() for metric in frame.columns if metric != USER}
        for name, frame in frames.items()
    }


def best_of(values: Mapping[str, PerUser], metric: str) -> str:
    """Return the model with the largest mean, or the smallest error; the first of equals.

    Raises:
        KeyError: there is no such metric.
    """
    if metric in ERRORS:
        kept = SUMS[ERRORS.index(metric)]  # all models are judged on the same ratings
        return min(values, key=lambda name: float(values[name][kept].sum()))
    return max(values, key=lambda name: float(values[name][metric].mean()))


def predicts_ratings(values: PerUser) -> bool:
    """Tell whether a model has left errors of ratings."""
    return set(SUMS) <= set(values)


def _sums(values: Mapping[str, PerUser]) -> dict[str, RatingSums]:
    able = {name: each for name, each in values.items() if predicts_ratings(each)}
    return {name: RatingSums(*(each[column] for column in SUMS)) for name, each in able.items()}


def estimate_models(
    values: Mapping[str, PerUser], reference: str
) -> tuple[dict[str, Intervals], dict[str, Differences]]:
    """Return the means of all models, and how all but the reference differ from it.

    All intervals are percentiles of the same draws of users. Probabilities are two-sided, of the
    normal distribution, corrected by Holm over the models, for every metric by itself.

    Args:
        values: metrics per user, per model, over the same users.
        reference: the model that is subtracted from the others.
    """
    lists = {
        name: {metric: each for metric, each in of_model.items() if metric not in SUMS}
        for name, of_model in values.items()
    }
    others = [name for name in values if name != reference]
    gains = {name: differences(lists[name], lists[reference]) for name in others}
    means, lost = _estimated(lists), _estimated(gains)
    errors, more = bootstrap_ratings(_sums(values), reference, **_HOW)
    intervals = {
        name: {
            metric: _interval(each) for metric, each in (means[name] | errors.get(name, {})).items()
        }
        for name in values
    }
    found: dict[str, Differences] = {name: {} for name in values}
    for each_lost in (lost, more):
        _add_differences(found, each_lost)
    return intervals, found


def _add_differences(
    found: dict[str, Differences], lost: Mapping[str, Mapping[str, Estimate]]
) -> None:
    others = list(lost)
    for metric in lost[others[0]] if others else ():
        column = [lost[name][metric] for name in others]
        for name, each, p_value in zip(others, column, _adjusted(column), strict=True):
            found[name][metric] = Difference(
                mean=each.mean, low=each.low, high=each.high, standard_error=_error(each),
                p_value=p_value,
            )  # fmt: skip


def _estimated(columns: Mapping[str, PerUser]) -> dict[str, dict[str, Estimate]]:
    flat = {(name, metric): each for name in columns for metric, each in columns[name].items()}
    estimates = estimate_all(
        {str(place): each for place, each in enumerate(flat.values())},
        **_HOW,
    )  # fmt: skip
    found: dict[str, dict[str, Estimate]] = {name: {} for name in columns}
    for (name, metric), estimate in zip(flat, estimates.values(), strict=True):
        found[name][metric] = estimate
    return found


def _adjusted(column: Sequence[Estimate]) -> list[float]:
    means = np.array([each.mean for each in column])
    errors = np.array([each.standard_error for each in column])
    p_values = np.where(np.isnan(errors), 1.0, two_sided_p(means, errors))  # of a single user
    adjusted: list[float] = holm(p_values).tolist()
    return adjusted


def _interval(each: Estimate) -> Interval:
    return Interval(
        mean=each.mean, low=each.low, high=each.high, n_users=each.n_users,
        standard_error=_error(each),
    )  # fmt: skip


def _error(each: Estimate) -> float | None:
    return None if np.isnan(each.standard_error) else each.standard_error
