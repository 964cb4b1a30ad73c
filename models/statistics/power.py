"""How small a difference so many users show, and how many users a difference needs."""

import math

from scipy.special import ndtri


def detectable_difference(
    standard_error: float, *, confidence: float, power: float, n_tests: int = 1
) -> float:
    """Return the smallest true difference that is found with the given probability.

    Found means that a two-sided interval at this confidence leaves out nought, among n_tests of
    which Holm's correction asks the most of the first.

    Reference: Bloom, Evaluation Review 1995, doi:10.1177/0193841X9501900504 (minimum detectable
    effect: standard error times the sum of the two quantiles).

    Args:
        standard_error: of the difference, in the metric's unit.
        confidence: of the interval, between 0 and 1.
        power: probability of finding it, between 0 and 1.
        n_tests: how many metrics decide.

    Raises:
        ValueError: a share is not between 0 and 1, or there is no test.
    """
    return _factor(confidence, power, n_tests) * standard_error


def users_needed(
    standard_deviation: float,
    *,
    difference: float,
    confidence: float,
    power: float,
    n_tests: int = 1,
) -> int:
    """Return the fewest users for whom the difference is detectable.

    Args:
        standard_deviation: of the difference of two models, over users.
        difference: to be found, above 0, in the same unit.
        confidence: as detectable_difference.
        power: as detectable_difference.
        n_tests: as detectable_difference.

    Raises:
        ValueError: as detectable_difference, or the difference is not above 0.
    """
    if not difference > 0.0:
        raise ValueError(f"difference must be above 0, got {difference}")
    factor = _factor(confidence, power, n_tests)
    return max(2, math.ceil((factor * standard_deviation / difference) ** 2))


def _factor(confidence: float, power: float, n_tests: int) -> float:
    for name, share in (("confidence", confidence), ("power", power)):
        if not 0.0 < share < 1.0:
            raise ValueError(f"{name} must be between 0 and 1, got {share}")
    if n_tests < 1:
        raise ValueError(f"n_tests must be at least 1, got {n_tests}")
    level = (1.0 - confidence) / 2.0 / n_tests
    return float(ndtri(power) - ndtri(level))
