"""The drawing of a replay: one file that needs nothing else, for a browser or a report."""

from datetime import date
from typing import NamedTuple

from markupsafe import Markup

from data_contracts.manifests import Interval
from data_contracts.replay import Replay
from tasks.report.report_figure import Point, Scale, Series, finite, line_figure, value_range
from tasks.report.report_number import Form, figure, short_date, signed

_WIDTH, _HEIGHT = 880, 520
_LEFT, _PLOT_WIDTH, _KEY_WIDTH = 80, 780, 190
_STYLE = """
text { font: 14px system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: #1d2329 }
.title { font-size: 18px; font-weight: 600 }
.muted { fill: #57606a }
.end { text-anchor: end }
.zero { stroke: #57606a; stroke-dasharray: 3 3 }
polyline { fill: none; stroke-width: 2 }
.band { fill: #0a63b0; opacity: .14 }
.line-0 { stroke: #0a63b0 } circle.line-0, rect.line-0 { fill: #0a63b0; stroke: none }
.line-1 { stroke: #9a5b00 } circle.line-1, rect.line-1 { fill: #9a5b00; stroke: none }
.line-2 { stroke: #6b7280 } circle.line-2, rect.line-2 { fill: #6b7280; stroke: none }
"""


class _Plot(NamedTuple):
    """A part of the drawing."""

    series: list[Series]
    values: Scale
    form: Form
    label: str
    top: int
    height: int


def replay_chart(made: Replay) -> str:
    """Return an SVG of two parts over the nights.

    Above the metric of the replayed model with its interval, of challenger and champion; below
    the replayed model minus the challenger, with the paired interval, which is narrower.

    Args:
        made: with at least one night.

    Raises:
        ValueError: no night was replayed, or no figure is finite.
    """
    models, gains = finite(_models(made)), finite([_gains(made)])
    if not models or not gains:
        raise ValueError("a chart needs a night that was replayed, got none")
    values = value_range(models, from_zero=False, most=None)
    spread = value_range(gains, from_zero=False, most=None)
    around_zero = Scale(min(spread.low, 0.0), max(spread.high, 0.0))
    plots = (
        _Plot(models, values, figure, _in_words(made), 96, 190),
        _Plot(gains, around_zero, signed, "replayed minus challenger", 340, 130),
    )
    parts = [_words(made, models), *(_drawn(plot) for plot in plots), _days(made)]
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" '
            'height="{h}">\n<style>{style}</style>\n<rect width="100%" height="100%" '
            'fill="#ffffff"/>\n{parts}\n</svg>\n'
        ).format(w=_WIDTH, h=_HEIGHT, style=Markup(_STYLE), parts=Markup("\n").join(parts))
    )


def _models(made: Replay) -> list[Series]:
    champions = [(night.run_date, night.champion) for night in made.nights]
    return [
        Series(made.model, tuple(_point(each.run_date, each.replayed) for each in made.nights)),
        Series("challenger", tuple(_point(each.run_date, each.challenger) for each in made.nights)),
        Series("champion", tuple(_point(day, each) for day, each in champions if each)),
    ]


def _gains(made: Replay) -> Series:
    points = (_point(each.run_date, each.over_challenger) for each in made.nights)
    return Series(f"{made.model} minus challenger", tuple(points))


def _point(day: date, value: Interval) -> Point:
    return Point(day, value.mean, value.low, value.high)


def _drawn(plot: _Plot) -> Markup:
    lines = line_figure(plot.series, values=plot.values, form=plot.form, label=plot.label)
    bottom = plot.top + plot.height
    parts = [
        _text("muted end", _LEFT - 8, plot.top + 12, plot.form(plot.values.high)),
        _text("muted end", _LEFT - 8, bottom, plot.form(plot.values.low)),
    ]
    if plot.values.low <= 0.0 <= plot.values.high:
        at = Scale(plot.values.low, plot.values.high, 97.0, 3.0)(0.0)  # the edges of line_figure
        y = plot.top + plot.height * at / 100
        zero = '<line class="zero" x1="{}" x2="{}" y1="{y}" y2="{y}"/>'
        parts.append(Markup(zero).format(_LEFT, _LEFT + _PLOT_WIDTH, y=round(y, 1)))
    placed = '<svg x="{}" y="{}" width="{}" height="{}">{}</svg>'
    parts.append(Markup(placed).format(_LEFT, plot.top, _PLOT_WIDTH, plot.height, lines))
    return Markup("\n").join(parts)


def _words(made: Replay, models: list[Series]) -> Markup:
    parts = [
        _text("title", _LEFT, 30, f"{made.metric} of {made.model} on past nights"),
        _text("muted", _LEFT, 54, _in_words(made)),
        _text("", _LEFT, 328, f"{made.model} minus challenger, the same users"),
    ]
    for place, each in enumerate(models):
        x = _LEFT + place * _KEY_WIDTH
        key = Markup('<rect class="line-{}" x="{}" y="70" width="14" height="4"/>').format(place, x)
        parts.append(key + _text("", x + 20, 77, each.name))
    return Markup("\n").join(parts)


def _days(made: Replay) -> Markup:
    first, last = made.nights[0].run_date, made.nights[-1].run_date
    words = _text("muted", _LEFT, 496, short_date(first))
    if last > first:
        words += _text("muted end", _LEFT + _PLOT_WIDTH, 496, short_date(last))
    return words


def _text(kind: str, x: int, y: int, words: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, x, y, words)


def _in_words(made: Replay) -> str:
    mean = made.mean_over_challenger or 0.0
    return (
        f"against the challengers {signed(mean)} in the mean of {len(made.nights)} nights, "
        f"shown to be better on {made.nights_better} and worse on {made.nights_worse}"
    )
