"""Whether a distance between two samples is a drift, is none, or says nothing yet.

The rule, for a figure with a limit: let the noise be what the figure exceeds with a probability
of at most ``false_alarm`` where both samples come from the same source.

- not enough data: the noise reaches beyond the limit, so that crossing it would be no evidence
- drift: the noise stays within the limit, and the figure is beyond it
- ok: the noise stays within the limit, and so does the figure

Where nothing changed, drift is thus told with a probability of at most ``false_alarm``, however
small the samples are; with many rows it is far less, as only a change beyond the limit counts.

Events are no independent draws: one user's events are alike. The noise is that of independent
draws times the design effect, which is measured between random groups of users.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int
from scipy.stats import chi2, f, norm

DriftState = Literal["ok", "drift", "not enough data"]
FEWEST = 10  # independent observations of a cell, below which a quantile is not trusted


def drift_state(value: float, noise: float, limit: float | None) -> DriftState:
    """Return the state of a figure that grows with the change.

    Args:
        value: the figure.
        noise: what it exceeds by chance alone with the stated probability; inf where unknown.
        limit: from where on a change matters; None lets nothing be a drift.
    """
    if noise > (math.inf if limit is None else limit) or math.isinf(noise):
        return "not enough data"
    return "ok" if limit is None or value <= limit else "drift"


class DesignEffect(NamedTuple):
    """How much more than independent draws the counts of cells are moved by chance."""

    factor: float = 1.0  # of the variance
    freedom: float = math.inf  # of the cells; at most their number less 1 counts
    n_groups: int | None = None  # of users, between which it was measured


INDEPENDENT = DesignEffect()


def design_effect(groups: Int[np.ndarray, "n_groups n_cells"]) -> DesignEffect:
    """Return the design effect, measured between random groups of users: they differ by chance.

    The factor is Pearson's statistic of the table over its degrees of freedom, at least 1. The
    freedom follows from the sample's own covariance, which errs to the side of more noise.

    Reference: Rao and Scott, Annals of Statistics 1984, doi:10.1214/aos/1176346391 (the mean of
    the generalised design effects, and Satterthwaite's correction for their spread).

    Args:
        groups: counts of every cell in every random group of users, shape (n_groups, n_cells).
    """
    table = groups[:, groups.sum(axis=0) > 0]
    table = table[table.sum(axis=1) > 0].astype(np.float64)
    n_groups, n_cells = table.shape
    if n_groups < 2 or n_cells < 2:
        return INDEPENDENT
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    Z = (table - expected) / np.sqrt(expected)
    S = Z.T @ Z / (n_groups - 1)  # (n_cells, n_cells); near a projection for independent draws
    trace = float(np.trace(S))
    freedom = trace**2 / max(float(np.sum(S**2)), 1e-300)
    return DesignEffect(max(1.0, trace / (n_cells - 1)), max(1.0, freedom), n_groups)


def stability_noise(
    n: int, n_reference: int, n_cells: int, *, effect: DesignEffect, false_alarm: float
) -> float:
    """Return the population stability index that chance exceeds with the stated probability.

    With equal sources the index is about factor (1/n + 1/m) times a chi-squared variable with
    n_cells - 1 degrees of freedom; a measured factor makes it an F variable.

    Reference: Potgieter et al., arXiv:2307.11878; Thomas and Rao, Journal of the American
    Statistical Association 1987, volume 82, page 630 (the F form under cluster sampling).

    Args:
        n: observations of the sample.
        n_reference: observations of the reference.
        n_cells: cells that are compared.
        effect: of the sample; INDEPENDENT where the observations are.
        false_alarm: between 0 and 1.

    Returns:
        The index; inf where a cell stands for fewer than 10 independent observations, as the
        approximation does not hold, or where there is no second cell.

    Raises:
        ValueError: false_alarm is not between 0 and 1.
    """
    if not 0.0 < false_alarm < 1.0:
        raise ValueError(f"false_alarm must be between 0 and 1, got {false_alarm}")
    if n_cells < 2 or min(n, n_reference) < FEWEST * effect.factor * n_cells:
        return math.inf
    freedom = min(effect.freedom, n_cells - 1.0)
    quantile = chi2.isf(false_alarm, freedom) / freedom
    if effect.n_groups is not None:
        quantile = f.isf(false_alarm, freedom, (effect.n_groups - 1) * freedom)
    scale = effect.factor * (1.0 / n + 1.0 / n_reference)
    return scale * (n_cells - 1) * float(quantile)


def jensen_shannon_of(stability: float) -> float:
    """Return the Jensen-Shannon distance that goes with a small population stability index.

    Both follow the same sum of squares: an index s goes with a divergence of s / 8 nats.

    Args:
        stability: a population stability index.
    """
    return math.sqrt(stability / (8.0 * math.log(2.0)))


def share_noise(
    share: float, n: int, n_reference: int, *, effect: float, false_alarm: float
) -> float:
    """Return the difference of two shares that chance exceeds, either way.

    Args:
        share: of both samples together, between 0 and 1.
        n: observations of the sample.
        n_reference: observations of the reference.
        effect: factor of the design effect, at least 1.
        false_alarm: between 0 and 1.
    """
    if not (n and n_reference):
        return math.inf
    at_least = (share * n + 1.0) / (n + 2.0)  # no event in few draws is no share of 0
    variance = effect * at_least * (1.0 - at_least) * (1.0 / n + 1.0 / n_reference)
    return float(norm.isf(false_alarm / 2.0)) * math.sqrt(variance)


def ratio_noise(n: float, n_reference: float, *, false_alarm: float) -> float:
    """Return the logarithm of a ratio of two volumes that chance exceeds, either way.

    Args:
        n: independent observations of the sample (see effective_size).
        n_reference: the same of the reference.
        false_alarm: between 0 and 1.
    """
    if n <= 0 or n_reference <= 0:
        return math.inf
    return float(norm.isf(false_alarm / 2.0)) * math.sqrt(1.0 / n + 1.0 / n_reference)


def gap_noise(n: float, *, hours: float, false_alarm: float) -> float:
    """Return the hours without an event that chance exceeds at the end of a stretch of time.

    Args:
        n: independent observations, as many in every hour.
        hours: length of the stretch.
        false_alarm: between 0 and 1.
    """
    return math.inf if n <= 0 else -math.log(false_alarm) * hours / n


def effective_size(n_events: int, sum_of_squares: int) -> float:
    """Return how many independent events say as much as those of users who have several.

    Reference: Kish, Survey Sampling, 1965, section 11.7 (n squared over the sum of squares).

    Args:
        n_events: of all users.
        sum_of_squares: over users, of the number of their events.
    """
    return n_events**2 / sum_of_squares if sum_of_squares else 0.0
