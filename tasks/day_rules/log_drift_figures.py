"""How the run date's log compares with the days before: its figures, and what chance makes of them.

Distributions are held against two references: the week before, and the same weekday in the weeks
before. A Saturday may differ from the Friday before it, and a slow change from what was four
weeks ago: what is unlike both is a drift (see tasks.day_rules.log_drift_limits).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import NamedTuple

import numpy as np

from data_contracts.data_drift import DataDriftConfig
from data_contracts.interactions import day_start
from data_contracts.log_drift import LogDay, LogDriftManifest
from models.statistics.count_drift import jensen_shannon, join_rare, population_stability, summed
from models.statistics.drift_state import (
    FEWEST,
    INDEPENDENT,
    DesignEffect,
    design_effect,
    effective_size,
    gap_noise,
    jensen_shannon_of,
    ratio_noise,
    share_noise,
    stability_noise,
)
from tasks.day_rules.log_drift_tonight import Tonight
from tasks.lake import Night

_OF_MEDIAN = 0.64  # of as many observations say as much as their median (2 / pi)
_HOUR = timedelta(hours=1)


class Compared(NamedTuple):
    """A figure against one reference."""

    value: float
    change: float  # what a limit bounds
    noise: float  # the change that chance exceeds; inf where there is too little to say
    usual: float | None = None  # where it does not follow from the figures of earlier nights


class Days(NamedTuple):
    """What is known of every day by now."""

    by_day: dict[date, LogDay]
    references: dict[str, list[date]]
    tonight: LogDay | None  # None where no event is of the run date


def known_days(night: Night, counted: Sequence[LogDay]) -> Days:
    """Return the days, each with all that came for it in any night."""
    merged: dict[date, LogDay] = {}
    for each in counted:
        merged[each.day] = _together(merged[each.day], each) if each.day in merged else each
    run_date, days = night.run_date, night.config.data_drift.days
    references = {
        "week": [run_date - timedelta(days=ago) for ago in range(1, 8)],
        "weekday": [run_date - timedelta(days=ago) for ago in range(7, days + 1, 7)],
    }
    known = {name: [day for day in each if day in merged] for name, each in references.items()}
    return Days(merged, known, merged.pop(run_date, None))


def all_figures(
    night: Night,
    days: Days,
    tonight: Tonight,
    earlier: Sequence[LogDriftManifest],
    items: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> dict[str, tuple[Compared, ...]]:
    """Return every figure against every reference.

    Args:
        night: configuration and run date.
        days: what is known of them.
        tonight: the run date's counts.
        earlier: manifests of the nights before.
        items: reference -> counts by cell, of the run date and of the reference.
    """
    config = night.config.data_drift
    alarm = config.false_alarm
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]] = {
        "items": [(x, y, tonight.cells[name]) for name, (x, y) in items.items()],
        "event_types": [_event_types(days, name, tonight) for name in days.references],
        "activity": [(*_activity(days, name), None) for name in days.references],
    }
    figures: dict[str, tuple[Compared, ...]] = {}
    for name, given in pairs.items():
        if max(len(x) for x, _, _ in given) > 1:  # one cell cannot move
            found = [_distances(x, y, groups, alarm) for x, y, groups in given]
            psi, js = zip(*found, strict=True)
            figures |= {f"{name}_psi": psi, f"{name}_js": js}
    shares = {
        "new_users": (tonight.users, tonight.new_users, 1.0),
        "new_items": (
            int(tonight.new_items.sum()),
            int(tonight.new_items[:, 1].sum()),
            design_effect(tonight.new_items).factor,
        ),
    }
    for name, (n, new, factor) in shares.items():
        before = values_before(earlier, name)
        figures[name] = (_share(n, new, factor, before, config),)
    figures["silence"] = (_silence(night, days),)
    figures["volume"] = (_volume(night, days),)
    return figures


def usual_values(
    names: Collection[str], earlier: Sequence[LogDriftManifest]
) -> dict[str, float | None]:
    """Return the median of every figure in earlier nights; None where it had no value."""
    found = {name: values_before(earlier, name) for name in names}
    return {name: round(median(values), 6) if values else None for name, values in found.items()}


def values_before(earlier: Sequence[LogDriftManifest], name: str) -> list[float]:
    """Return the values of a figure in earlier nights."""
    values = (each.figures[name].value for each in earlier if name in each.figures)
    return [value for value in values if value is not None]


def _distances(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray | None, false_alarm: float
) -> tuple[Compared, Compared]:
    if not (x.sum() and y.sum()):
        return (Compared(math.nan, math.nan, math.inf),) * 2
    effect: DesignEffect = INDEPENDENT if groups is None else design_effect(groups)
    noise = stability_noise(
        int(x.sum()), int(y.sum()), len(x), effect=effect, false_alarm=false_alarm
    )
    psi, js = population_stability(x, y), jensen_shannon(x, y)
    return Compared(psi, psi, noise), Compared(js, js, jensen_shannon_of(noise))


def _event_types(
    days: Days, reference: str, tonight: Tonight
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    names = event_types(days)
    x, y = tonight.event_types.sum(axis=0), np.zeros(len(names), np.int64)
    for day in days.references[reference]:
        y += [days.by_day[day].event_types.get(name, 0) for name in names]
    cell = _joined(x, y)
    groups = np.stack([summed(each, cell) for each in tonight.event_types])
    return summed(x, cell), summed(y, cell), groups


def event_types(days: Days) -> list[str]:
    """Return the event types of all days, sorted."""
    every = [*days.by_day.values(), *([days.tonight] if days.tonight else [])]
    return sorted({name for day in every for name in day.event_types})


def _activity(days: Days, reference: str) -> tuple[np.ndarray, np.ndarray]:
    chosen = [days.by_day[day].activity for day in days.references[reference]]
    y = np.array(chosen, np.int64).sum(axis=0) if chosen else np.zeros(1, np.int64)
    x = np.array(days.tonight.activity if days.tonight else np.zeros_like(y), np.int64)
    y = y if chosen else np.zeros_like(x)
    cell = _joined(x, y)
    return summed(x, cell), summed(y, cell)


def _joined(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return cells of which the smaller sample is expected to hold enough."""
    smaller = max(min(int(x.sum()), int(y.sum())), 1)
    return join_rare(x + y, fewest=FEWEST * int((x + y).sum()) / smaller)


def _share(
    n: int, new: int, factor: float, before: Sequence[float], config: DataDriftConfig
) -> Compared:
    share = new / n if n else math.nan
    if len(before) < config.fewest_days or not n:
        return Compared(share, math.nan, math.inf)
    usual = median(before)
    n_before = max(1, int(_OF_MEDIAN * len(before) * n))  # nights as large as this one
    noise = share_noise(usual, n, n_before, effect=factor, false_alarm=config.false_alarm)
    return Compared(share, abs(share - usual), noise, usual)


def _silence(night: Night, days: Days) -> Compared:
    every = [*days.by_day.values(), *([days.tonight] if days.tonight else [])]
    if not every:
        return Compared(math.nan, math.nan, math.inf)
    zone, config = night.config.interactions.time_zone, night.config.data_drift
    hours = (_end(night.run_date, zone) - max(day.newest for day in every)) / _HOUR
    before = [(_end(day.day, zone) - day.newest) / _HOUR for day in days.by_day.values()]
    if len(before) < config.fewest_days:
        return Compared(hours, math.nan, math.inf)
    usual, n = median(before), median(map(_effective, days.by_day.values()))
    noise = gap_noise(n, hours=24.0, false_alarm=config.false_alarm)
    return Compared(hours, hours - usual, noise, usual)


def _volume(night: Night, days: Days) -> Compared:
    config = night.config.data_drift
    rows = days.tonight.events if days.tonight else 0
    chosen = days.references["weekday"]
    if len(chosen) < min(config.fewest_days, 2):
        chosen = list(days.by_day)
        if len(chosen) < config.fewest_days:
            return Compared(rows, math.nan, math.inf)
    usual = median(days.by_day[day].events for day in chosen)
    n = median(_effective(days.by_day[day]) for day in chosen)
    noise = ratio_noise(n, _OF_MEDIAN * len(chosen) * n, false_alarm=config.false_alarm)
    return Compared(rows, math.log(rows / usual) if rows else -math.inf, noise, usual)


def _effective(day: LogDay) -> float:
    return effective_size(day.events, day.squares)


def _end(day: date, zone: str) -> datetime:
    return day_start(day + timedelta(days=1), zone)


def _together(one: LogDay, other: LogDay) -> LogDay:
    names = sorted({*one.event_types, *other.event_types})
    return LogDay(
        day=one.day, events=one.events + other.events, squares=one.squares + other.squares,
        newest=max(one.newest, other.newest),
        event_types={n: one.event_types.get(n, 0) + other.event_types.get(n, 0) for n in names},
        activity=tuple(a + b for a, b in zip(one.activity, other.activity, strict=True)),
    )  # fmt: skip
