"""What else decides beside the primary metric: coverage, popularity, fallbacks, changed lists."""

from collections.abc import Mapping

from data_contracts.config import GateConfig
from data_contracts.manifests import Interval
from models.statistics.gate import Gain, Guard
from tasks.judging.measuring import FALLBACK

COVERAGE, LIFT, CHANGE = "coverage@20", "popularity_lift@20", "list_change@20"
GUARDED = (COVERAGE, LIFT, FALLBACK, CHANGE)


def guards(
    config: GateConfig, over_champion: Mapping[str, Interval], champion: Mapping[str, Interval]
) -> list[Guard]:
    """Return the guards of a challenger against a champion; what was not measured guards nothing.

    Args:
        config: the tolerances.
        over_champion: challenger minus champion by metric.
        champion: figures of the champion.
    """
    found = []
    if COVERAGE in over_champion:
        tolerated = config.max_coverage_loss * champion[COVERAGE].mean
        found.append(Guard(COVERAGE, gain(over_champion[COVERAGE]), "lower", tolerated))
    for name, tolerated in (
        (LIFT, config.max_popularity_rise), (FALLBACK, config.max_fallback_rise),
    ):  # fmt: skip
        if name in over_champion:
            found.append(Guard(name, gain(over_champion[name]), "higher", tolerated))
    if CHANGE in over_champion and config.max_list_change < 1.0:
        change, tolerated = gain(over_champion[CHANGE]), config.max_list_change
        found.append(Guard(CHANGE, change, "higher", tolerated, beyond="hold"))
    return found


def gain(interval: Interval) -> Gain:
    """Return the difference as the gate takes it."""
    return Gain(interval.mean, interval.low, interval.high)
