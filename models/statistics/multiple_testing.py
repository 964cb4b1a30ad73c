"""Several tests at once: Holm's correction, and the probabilities it works on."""

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

Values = Float[np.ndarray, " n_tests"]


def holm(p_values: Values) -> Values:
    """Return p-values adjusted so that all tests together keep the level of one.

    A test is significant at a level if its adjusted p-value is below: then the probability of
    one false finding or more is at most that level, however the tests depend on each other.

    Reference: Holm, Scandinavian Journal of Statistics 1979, 6:65-70.

    Args:
        p_values: one per test, between 0 and 1.

    Raises:
        ValueError: one is not between 0 and 1.
    """
    if not ((p_values >= 0.0) & (p_values <= 1.0)).all():
        raise ValueError(f"p-values must be between 0 and 1, got {p_values.tolist()}")
    order = np.argsort(p_values, kind="stable")
    steps = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps * p_values[order]))
    return adjusted


def two_sided_p(mean: Values, standard_error: Values) -> Values:
    """Return the probability of so large a mean in either direction where the true one is 0.

    Args:
        mean: of differences.
        standard_error: of them; where it is 0 a mean of 0 has probability 1, any other 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(mean == 0.0, 0.0, np.abs(mean) / standard_error)
    return np.asarray(2.0 * norm.sf(z))
