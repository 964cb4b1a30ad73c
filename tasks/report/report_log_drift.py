"""How the report shows a log against the days before: a table of figures, and their nights."""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from data_contracts.log_drift import MEANING
from data_contracts.report import NightReport
from tasks.report.report_number import NOTHING, Form, count, share
from tasks.report.report_panel import Panel, Read, Subject, drawn


class DriftRow(NamedTuple):
    """A figure in words."""

    meaning: str
    value: str
    usual: str
    noise: str  # how far chance alone takes it
    state: str


def distance(value: float) -> str:
    """Return a distance of distributions with three decimals."""
    return f"{value:.3f}"


def hours(value: float) -> str:
    """Return hours with a decimal."""
    return f"{value:.1f}\N{NO-BREAK SPACE}h"


_FORMS: dict[str, Form] = {
    "new_users": share,
    "new_items": share,
    "silence": hours,
    "volume": count,
}


def log_drift_rows(report: NightReport) -> list[DriftRow]:
    """Return a row per figure, in the order in which they were told."""
    rows = []
    for name, each in report.log_drift.items():
        form = _FORMS.get(name, distance)
        value, usual = (NOTHING if got is None else form(got) for got in (each.value, each.usual))
        rows.append(
            DriftRow(MEANING.get(name, name), value, usual, _noise(name, each.noise), each.state)
        )
    return rows


def log_drift_panels(reports: Sequence[NightReport]) -> list[Panel]:
    """Return the drawings of the figures over nights; none of a single night.

    Args:
        reports: of nights in their order, at least one.
    """
    subjects = [
        Subject("Stability index of items", distance, {"items": _read("items_psi")}),
        Subject(
            "Stability index of the rest",
            distance,
            {"event types": _read("event_types_psi"), "activity": _read("activity_psi")},
        ),
        Subject("What is new", share, {"users": _read("new_users"), "items": _read("new_items")}),
        Subject("Hours without an event", hours, {"hours": _read("silence")}),
    ]
    return drawn(subjects, reports) if len(reports) > 1 else []


def _read(name: str) -> Read:
    return partial(_value, name)


def _value(name: str, report: NightReport) -> float | None:
    found = report.log_drift.get(name)
    return None if found is None else found.value


def _noise(name: str, noise: float | None) -> str:
    if noise is None:
        return NOTHING
    match name:
        case "volume":
            return f"{share(math.expm1(noise))} more"
        case "silence":
            return f"{hours(noise)} more"
        case "new_users" | "new_items":
            return f"±{share(noise)}"
    return distance(noise)
