"""Figures of the night's page as SVG: as wide as their place, text left to the page.

All places are percentages of the drawing, so it stretches while lines and dots keep their
size. Every drawing says in words what it shows.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from markupsafe import Markup

from data_contracts.manifests import Interval
from tasks.report.report_number import Form

_EDGE = 3.0  # per cent left free at every side of a line drawing, for its dots
_FLATTENS = 4.0  # times all others: more is above the axis


class Point(NamedTuple):
    """One night of a series; low and high are its interval, where it has one."""

    day: date
    value: float
    low: float | None = None
    high: float | None = None


class Series(NamedTuple):
    """One line: its name and its nights, oldest first."""

    name: str
    points: tuple[Point, ...]


class Scale(NamedTuple):
    """A range of values laid over a range of per cent."""

    low: float
    high: float
    start: float = 0.0
    end: float = 100.0

    def __call__(self, value: float) -> float:
        """Return the place of a value, in per cent; the middle where there is no range."""
        if self.high <= self.low:
            return (self.start + self.end) / 2
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)


def finite(series: Sequence[Series]) -> list[Series]:
    """Return the series without nights whose value is no number, and without empty series."""
    kept = [
        Series(name, tuple(point for point in points if math.isfinite(point.value)))
        for name, points in series
    ]
    return [each for each in kept if each.points]


def value_range(series: Sequence[Series], *, from_zero: bool, most: float | None) -> Scale:
    """Return the values that a drawing of finite series must hold.

    Args:
        series: at least one, none of them empty.
        from_zero: whether the axis starts at zero.
        most: where the axis ends; None lets the values say.
    """
    points = [point for each in series for point in each.points]
    if from_zero and most is None and (first := beyond(series)) is not None:
        points = [point for point in points if point is not first]
    low = 0.0 if from_zero else min(_ends(point)[0] for point in points)
    high = max(_ends(point)[1] for point in points) if most is None else most
    if high <= low:
        return Scale(low, low + 1.0) if from_zero else Scale(low, low)
    return Scale(low, high)


def beyond(series: Sequence[Series]) -> Point | None:
    """Return the first night of a single series if it would flatten all others.

    The first night of a lake takes all that the log held until then.
    """
    if len(series) != 1 or len(series[0].points) < 2:
        return None
    first, *others = series[0].points
    most = max(point.value for point in others)
    return first if first.value > _FLATTENS * most > 0 else None


def line_figure(series: Sequence[Series], *, values: Scale, form: Form, label: str) -> Markup:
    """Return lines over nights, one class ``line-0``, ``line-1``, ... per series.

    A line breaks where nights are missing. The first series is drawn with its intervals, as a
    band, and above the others.

    Args:
        series: finite ones (see finite), at least one.
        values: the range of the values (see value_range).
        form: writes a value.
        label: what is shown, in words.
    """
    days = [point.day.toordinal() for each in series for point in each.points]
    x = Scale(min(days), max(days), _EDGE, 100 - _EDGE)
    y = Scale(values.low, values.high, 100 - _EDGE, _EDGE)
    stretched = Markup("").join(
        part for k, each in reversed(list(enumerate(series))) for part in _lines(each, k, x, y)
    )
    dots = Markup("").join(
        part for k, each in reversed(list(enumerate(series))) for part in _dots(each, k, x, y, form)
    )
    return Markup(
        '<svg class="lines" role="img" aria-label="{}">'
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" width="100%" height="100%">'
        "{}</svg>{}</svg>"
    ).format(label, stretched, dots)


def whisker_figure(interval: Interval, *, scale: Scale, label: str) -> Markup:
    """Return a dot with its interval on a line, and where zero lies.

    Args:
        interval: finite.
        scale: of all drawings it is compared with; holds zero.
        label: what is shown, in words.
    """
    low, mean, high, zero = (
        scale(value) for value in (interval.low, interval.mean, interval.high, 0.0)
    )
    return Markup(
        '<svg class="whisker {}" role="img" aria-label="{}">'
        '<line class="zero" x1="{zero}%" x2="{zero}%" y1="0" y2="100%"/>'
        '<line class="interval" x1="{low}%" x2="{high}%" y1="50%" y2="50%"/>'
        '<circle cx="{mean}%" cy="50%" r="5"/></svg>'
    ).format(side(interval), label, zero=zero, low=low, high=high, mean=mean)


def whisker_scale(intervals: Sequence[Interval]) -> Scale:
    """Return one scale for several intervals; it holds zero and leaves room for the dots."""
    low = min((each.low for each in intervals), default=0.0)
    high = max((each.high for each in intervals), default=0.0)
    low, high = min(low, 0.0), max(high, 0.0)
    return Scale(low, high, 3.0, 97.0)


def side(interval: Interval) -> str:
    """Return whether all of an interval is above zero, below it, or neither."""
    if interval.low > 0:
        return "above"
    return "below" if interval.high < 0 else "open"


def range_figure(low: float, high: float, got: float, *, label: str) -> Markup:
    """Return an expected range and what came, on a line that starts at zero."""
    scale = Scale(0.0, max(high, got), 2.0, 95.0)
    return Markup(
        '<svg class="range" role="img" aria-label="{}">'
        '<line class="axis" x1="0" x2="100%" y1="50%" y2="50%"/>'
        '<line class="expected" x1="{}%" x2="{}%" y1="50%" y2="50%"/>'
        '<circle class="{}" cx="{}%" cy="50%" r="4.5"/></svg>'
    ).format(
        label, scale(low), max(scale(high), scale(low) + 0.5),
        "inside" if low <= got <= high else "outside", scale(got),
    )  # fmt: skip


def _ends(point: Point) -> tuple[float, float]:
    low = point.value if point.low is None or not math.isfinite(point.low) else point.low
    high = point.value if point.high is None or not math.isfinite(point.high) else point.high
    return low, high


def _lines(series: Series, k: int, x: Scale, y: Scale) -> Iterator[Markup]:
    for run in _runs(series.points):
        places = [(x(point.day.toordinal()), point) for point in run]
        if k == 0 and len(run) > 1 and any(point.low is not None for point in run):
            above = [f"{at} {y(_ends(point)[1])}" for at, point in places]
            below = [f"{at} {y(_ends(point)[0])}" for at, point in reversed(places)]
            yield Markup('<polygon class="band" points="{}"/>').format(" ".join(above + below))
        if len(run) > 1:
            line = " ".join(f"{at},{y(point.value)}" for at, point in places)
            yield Markup(
                '<polyline class="line-{}" points="{}" vector-effect="non-scaling-stroke"/>'
            ).format(k, line)


def _dots(series: Series, k: int, x: Scale, y: Scale, form: Form) -> Iterator[Markup]:
    for point in series.points:
        last, above = point is series.points[-1], point.value > y.high
        yield Markup(
            '<circle class="line-{}{}" cx="{}%" cy="{}%" r="{}"><title>{}, {}: {}</title></circle>'
        ).format(
            k, " above-axis" if above else "", x(point.day.toordinal()), y(point.value),
            4 if last or above else 1.6,
            point.day, series.name, form(point.value),
        )  # fmt: skip


def _runs(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Yield the stretches without a hole; a hole is longer than the shortest pause."""
    pauses = [(b.day - a.day).days for a, b in itertools.pairwise(points)]
    run = [points[0]]
    for pause, point in zip(pauses, points[1:], strict=True):
        if pause > min(pauses):
            yield run
            run = []
        run.append(point)
    yield run
