"""In which state the figures of a log are, and sentences for those that are a drift."""

import math
from collections.abc import Mapping, Sequence

from data_contracts.data_drift import LogLimits
from data_contracts.log_drift import MEANING, DriftState, LogFigure
from models.statistics.drift_state import drift_state
from tasks.day_rules.log_drift_figures import Compared

_FIGURES = {  # limit -> figure
    "max_items_psi": "items_psi",
    "max_items_js": "items_js",
    "max_event_types_psi": "event_types_psi",
    "max_event_types_js": "event_types_js",
    "max_activity_psi": "activity_psi",
    "max_activity_js": "activity_js",
    "max_new_users_change": "new_users",
    "max_new_items_change": "new_items",
    "max_silence_change": "silence",
    "min_volume": "volume",
    "max_volume": "volume",
}
_SEVERITY: tuple[DriftState, ...] = ("ok", "drift", "not enough data")
Figures = Mapping[str, Sequence[Compared]]


def judged(
    figures: Figures, limits: LogLimits, usual: Mapping[str, float | None]
) -> dict[str, LogFigure]:
    """Return every figure with its state, against the reference it is most like.

    Args:
        figures: by name, against every reference.
        limits: of the warnings.
        usual: of the nights before, where a figure does not say so itself.
    """
    return {name: _figure(name, each, limits, usual.get(name)) for name, each in figures.items()}


def crossed(figures: Figures, limits: LogLimits, section: str) -> tuple[str, ...]:
    """Return a sentence for every figure that is a drift by its limit.

    Args:
        figures: by name, against every reference.
        limits: the bounds.
        section: of the configuration, where the bounds stand.
    """
    sentences = []
    for limit, name in _FIGURES.items():
        bound = getattr(limits, limit)
        if bound is None or name not in figures:
            continue
        state, shown = _state(figures[name], limit, bound)
        if state == "drift":
            sentences.append(f"{_sentence(name, shown, limit, bound)} ({section}.{limit})")
    return tuple(sentences)


def _figure(
    name: str, each: Sequence[Compared], limits: LogLimits, usual: float | None
) -> LogFigure:
    given = [limit for limit, figure in _FIGURES.items() if figure == name]
    found = [_state(each, limit, getattr(limits, limit)) for limit in given]
    states = [state for state, _ in found]
    worst: DriftState = (
        "drift" if "drift" in states else "ok" if set(states) == {"ok"} else "not enough data"
    )
    shown = next(compared for state, compared in found if state == worst)
    return LogFigure(
        value=_known(shown.value), noise=_known(shown.noise), state=worst,
        usual=usual if shown.usual is None else _known(shown.usual),
    )  # fmt: skip


def _state(
    each: Sequence[Compared], limit: str, bound: float | None
) -> tuple[DriftState, Compared]:
    """Return the mildest state over the references, and the reference it comes from."""
    found = [(drift_state(*_bounded(compared, limit, bound)), compared) for compared in each]
    mildest = min((state for state, _ in found), key=_SEVERITY.index)
    of_state = [compared for state, compared in found if state == mildest]
    return mildest, min(of_state, key=lambda compared: _order(compared.change))


def _bounded(
    compared: Compared, limit: str, bound: float | None
) -> tuple[float, float, float | None]:
    """Return change, noise and bound, turned so that more is worse."""
    if limit not in ("min_volume", "max_volume"):
        return compared.change, compared.noise, bound
    sign = -1.0 if limit == "min_volume" else 1.0
    logarithm = None if bound is None else sign * math.log(bound) if bound else math.inf
    return sign * compared.change, compared.noise, logarithm


def _sentence(name: str, got: Compared, limit: str, bound: float) -> str:
    if name == "volume":
        side = "at least" if limit == "min_volume" else "at most"
        return (
            f"events must be {side} {bound:.2g} times the usual {got.usual:,.0f}, "
            f"got {got.value:,.0f}"
        )
    meaning = MEANING[name]
    if got.usual is None:
        return f"{meaning}: must be at most {bound:.3g}, got {got.value:.3g}"
    return (
        f"{meaning}: must be within {bound:.3g} of the usual {got.usual:.3g}, got {got.value:.3g}"
    )


def _known(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _order(change: float) -> float:
    return math.inf if math.isnan(change) else change
