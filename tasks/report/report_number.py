"""How the page of a night writes its numbers."""

import math
from collections.abc import Callable
from datetime import date

from data_contracts.manifests import Interval

Form = Callable[[float], str]
NOTHING = "–"


def count(value: float) -> str:
    """Return a whole number with its thousands apart."""
    return f"{value:,.0f}" if math.isfinite(value) else NOTHING


def share(value: float) -> str:
    """Return a share of one as a percentage."""
    return f"{value:.1%}" if math.isfinite(value) else NOTHING


def figure(value: float) -> str:
    """Return a metric with four decimals."""
    return f"{value:.4f}" if math.isfinite(value) else NOTHING


def signed(value: float) -> str:
    """Return a difference with four decimals and its sign."""
    return f"{value:+.4f}".replace("-", "−") if math.isfinite(value) else NOTHING


def amount(value: float, unit: str) -> str:
    """Return a cost with its unit: seconds and megabytes to a decimal, all else whole."""
    return f"{_cost(value, unit)}\N{NO-BREAK SPACE}{unit}" if math.isfinite(value) else NOTHING


def amounts(low: float, high: float, unit: str) -> str:
    """Return a range of costs with its unit, or the one cost."""
    if low == high or not math.isfinite(low):
        return amount(high, unit)
    return f"{_cost(low, unit)} to {amount(high, unit)}"


def _cost(value: float, unit: str) -> str:
    decimals = 1 if unit in {"s", "MB"} and value < 100 else 0
    return f"{value:,.{decimals}f}"


def bounds(interval: Interval, form: Form = figure) -> str:
    """Return the ends of an interval; nothing where it is a point."""
    if interval.low == interval.high:
        return ""
    return f"{form(interval.low)} to {form(interval.high)}"


def long_date(day: date) -> str:
    """Return a date for a heading, in English whatever the machine speaks."""
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def short_date(day: date) -> str:
    """Return day and month."""
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
