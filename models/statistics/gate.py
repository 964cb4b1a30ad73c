"""The gate: may the challenger replace the champion?

Levels, at the confidence c of the intervals (two-sided, so that each side has (1 - c) / 2):

- Promoting asks every metric to be shown within its tolerance. A model that is worse than any
  tolerance passes with a probability of at most (1 - c) / 2: all must pass, so that no correction
  is needed (Berger, Technometrics 1982, doi:10.2307/1267823).
- Rejecting asks one metric to be shown to be bad, so that chances add up: Holm's correction keeps
  the probability of rejecting a model that is as good on all of them at most (1 - c) / 2.
- What is neither is held if there was evidence enough to find a loss as large as the tolerated
  one, and cannot be judged if there was not: then the model is not to blame, more users are needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from models.statistics.multiple_testing import holm
from models.statistics.power import detectable_difference

Verdict = Literal["promote", "hold", "reject", "cannot judge"]


class Gain(NamedTuple):
    """Mean difference of a metric and its interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


class Guard(NamedTuple):
    """A metric that may not get much worse: coverage, popularity lift, fallbacks, list drift."""

    name: str
    change: Gain  # challenger minus champion; a figure without doubt has low = mean = high
    bad: Literal["higher", "lower"]  # the direction that does harm
    tolerated: float  # change in that direction that is still accepted, in the metric's unit
    beyond: Literal["reject", "hold"] = "reject"  # the verdict where more is measured


@dataclass(frozen=True)
class _Harm:
    """A change turned so that more is worse."""

    name: str
    mean: float
    low: float
    high: float
    tolerated: float
    rejected_above: float  # a harm that is shown to be more than this speaks for rejecting
    words: str
    may_reject: bool = True

    @property
    def is_tolerable(self) -> bool:
        """Tell whether the harm is shown to be within the tolerance."""
        return self.high <= self.tolerated

    def p_value(self, z: float) -> float:
        """Return the probability of such a harm where it is none; below the level as low is."""
        excess, error = self.mean - self.rejected_above, (self.mean - self.low) / z
        if error > 0.0:
            return float(ndtr(-excess / error))
        return 0.0 if excess > 0.0 else 1.0

    def detectable(self, confidence: float, power: float, n_tests: int) -> float:
        """Return the smallest harm that is found with this probability."""
        error = (self.high - self.low) / (2.0 * _quantile(confidence))
        return detectable_difference(error, confidence=confidence, power=power, n_tests=n_tests)


def decide(
    *,
    metric: str,
    n_users: int,
    min_users: int,
    over_popularity: Gain,
    over_champion: Gain | None,
    tolerated_loss: float,
    champion_saw_holdout: bool = False,
    guards: Sequence[Guard] = (),
    confidence: float = 0.95,
    power: float = 0.8,
) -> tuple[Verdict, str]:
    """Return the verdict on a challenger and the sentence that explains it.

    The challenger must not be measurably worse than popularity, must be shown not to be worse
    than the champion by more than the tolerated loss (a non-inferiority test), and must be shown
    to keep every guard within its tolerance. Levels: see above.

    Args:
        metric: name of the deciding metric.
        n_users: judged users.
        min_users: fewest users that count as evidence.
        over_popularity: challenger minus popularity.
        over_champion: challenger minus champion; None where there is no champion.
        tolerated_loss: absolute loss against the champion that is still accepted.
        champion_saw_holdout: the champion was trained on the held-out days.
        guards: further metrics that decide, against the champion.
        confidence: that all intervals were made with.
        power: of finding a loss as large as the tolerated one; where it is not reached, what is
            neither promoted nor rejected cannot be judged.

    Raises:
        ValueError: a tolerance is negative, an interval is not finite or not in order, confidence
            or power is not between 0 and 1.
    """
    if not np.isfinite(over_popularity).all():
        raise ValueError(f"interval must be finite, got over_popularity {over_popularity}")
    if n_users < min_users:
        return "cannot judge", f"{n_users} users were judged, at least {min_users} are needed"
    if over_popularity.high < 0:
        return "reject", f"{metric} is below the popular list: {over_popularity}"
    if over_champion is None:
        return "promote", f"first model; {metric} against the popular list: {over_popularity}"
    if champion_saw_holdout:
        return "cannot judge", "the champion was trained on the held-out days"
    harms = [_loss(metric, over_champion, tolerated_loss), *map(_harm, guards)]
    return _weigh(harms, n_users=n_users, confidence=confidence, power=power)


def _loss(metric: str, over_champion: Gain, tolerated: float) -> _Harm:
    words = f"{metric} against the champion: {over_champion}, tolerated loss {tolerated:.4f}"
    mean, low, high = over_champion
    return _checked(_Harm(metric, -mean, -high, -low, tolerated, 0.0, words))


def _harm(guard: Guard) -> _Harm:
    mean, low, high = guard.change
    if guard.bad == "lower":
        mean, low, high = -mean, -high, -low
    direction = {"lower": "decrease", "higher": "increase"}[guard.bad]
    words = f"{guard.name}: {guard.change}, tolerated {direction} {guard.tolerated:.4f}"
    may_reject, limit = guard.beyond == "reject", guard.tolerated
    return _checked(_Harm(guard.name, mean, low, high, limit, limit, words, may_reject))


def _checked(harm: _Harm) -> _Harm:
    if not harm.tolerated >= 0.0:
        raise ValueError(f"tolerance of {harm.name} must be 0 or more, got {harm.tolerated}")
    figures = (harm.mean, harm.low, harm.high)
    if not np.isfinite(figures).all() or harm.low > harm.high:  # nan would pass comparisons
        raise ValueError(f"interval must be finite and in order, got {harm.words}")
    return harm


def _weigh(
    harms: list[_Harm], *, n_users: int, confidence: float, power: float
) -> tuple[Verdict, str]:
    primary = harms[0]
    open_ = [harm for harm in harms if not harm.is_tolerable]
    rejected = _rejected(harms, confidence)
    if rejected is primary:
        return "reject", f"measurably worse than the champion; {primary.words}"
    if rejected is not None:
        return "reject", f"measurably beyond what is tolerated; {rejected.words}"
    if not open_:
        claim = "better" if primary.high < 0 else "not worse"
        kept = ", ".join(harm.name for harm in harms[1:])
        guards = f"; within what is tolerated: {kept}" if kept else ""
        return "promote", f"{claim} than the champion; {primary.words}{guards}"
    found = [harm.detectable(confidence, power, len(harms)) for harm in open_]
    for harm, smallest in zip(open_, found, strict=True):
        if smallest <= harm.tolerated or harm.low > harm.tolerated:
            claim = "worse than the champion" if harm is primary else "beyond what is tolerated"
            certainty = "is" if harm.low > harm.tolerated else "may be"
            return "hold", f"{certainty} {claim}; {harm.words}"
    return "cannot judge", _too_few(open_[0], found[0], n_users)


def _rejected(harms: list[_Harm], confidence: float) -> _Harm | None:
    """Return the surest of what speaks for rejecting, after Holm's correction."""
    z, level = _quantile(confidence), (1.0 - confidence) / 2.0
    family = [harm for harm in harms if harm.may_reject]
    adjusted = holm(np.array([harm.p_value(z) for harm in family]))
    for place in np.argsort(adjusted, kind="stable"):
        if adjusted[place] < level and not family[place].is_tolerable:
            return family[place]
    return None


def _too_few(harm: _Harm, smallest: float, n_users: int) -> str:
    if harm.tolerated > 1e-3 * smallest:
        needed = int(np.ceil(n_users * (smallest / harm.tolerated) ** 2))
        advice = f"about {needed} users are needed"
    else:
        advice = "no number of users shows that nothing at all is lost"
    return (
        f"{n_users} users show a change of {smallest:.4f} but not of {harm.tolerated:.4f}: "
        f"{advice}; {harm.words}"
    )


def _quantile(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    return -float(ndtri((1.0 - confidence) / 2.0))
