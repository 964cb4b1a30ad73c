"""The drawing of a replay: one file that needs nothing else, for a browser or a report."""

from datetime import date

from markupsafe import Markup

from data_contracts.manifests import Interval
from data_contracts.replay import Replay
from tasks.report_figure import Point, Scale, Series, finite, line_figure, value_range
from tasks.report_number import figure, short_date, signed

_WIDTH, _HEIGHT = 880, 420
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 70, 96, 790, 270
_KEY_WIDTH = 190
_STYLE = """
text { font: 14px system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: #1d2329 }
.title { font-size: 18px; font-weight: 600 }
.muted { fill: #57606a }
.end { text-anchor: end }
polyline { fill: none; stroke-width: 2 }
.band { fill: #0a63b0; opacity: .14 }
.line-0 { stroke: #0a63b0 } circle.line-0, rect.line-0 { fill: #0a63b0; stroke: none }
.line-1 { stroke: #9a5b00 } circle.line-1, rect.line-1 { fill: #9a5b00; stroke: none }
.line-2 { stroke: #6b7280 } circle.line-2, rect.line-2 { fill: #6b7280; stroke: none }
"""


def replay_chart(made: Replay) -> str:
    """Return an SVG: the metric of the replayed model, the challenger and the champion by night.

    Args:
        made: with at least one night.

    Raises:
        ValueError: no night was replayed.
    """
    series = finite(_series(made))
    if not series:
        raise ValueError("a chart needs a night that was replayed, got none")
    values = value_range(series, from_zero=False, most=None)
    lines = line_figure(series, values=values, form=figure, label=_in_words(made))
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" '
            'height="{h}">\n<style>{style}</style>\n<rect width="100%" height="100%" '
            'fill="#ffffff"/>\n{words}\n<svg x="{x}" y="{y}" width="{pw}" height="{ph}">{lines}'
            "</svg>\n</svg>\n"
        ).format(
            w=_WIDTH,
            h=_HEIGHT,
            style=Markup(_STYLE),
            words=_words(made, series, values),
            x=_LEFT,
            y=_TOP,
            pw=_PLOT_WIDTH,
            ph=_PLOT_HEIGHT,
            lines=lines,
        )
    )


def _series(made: Replay) -> list[Series]:
    nights = made.nights
    return [
        Series(made.model, tuple(_point(each.run_date, each.replayed) for each in nights)),
        Series("challenger", tuple(_point(each.run_date, each.challenger) for each in nights)),
        Series(
            "champion",
            tuple(_point(each.run_date, each.champion) for each in nights if each.champion),
        ),
    ]


def _point(day: date, value: Interval) -> Point:
    return Point(day, value.mean, value.low, value.high)


def _words(made: Replay, series: list[Series], values: Scale) -> Markup:
    bottom = _TOP + _PLOT_HEIGHT
    first, last = made.nights[0].run_date, made.nights[-1].run_date
    texts = [
        ("title", _LEFT, 30, f"{made.metric} of {made.model} on past nights"),
        ("muted", _LEFT, 54, _in_words(made)),
        ("muted end", _LEFT - 8, _TOP + 12, figure(values.high)),
        ("muted end", _LEFT - 8, bottom, figure(values.low)),
        ("muted", _LEFT, bottom + 26, short_date(first)),
    ]
    if last > first:
        texts.append(("muted end", _LEFT + _PLOT_WIDTH, bottom + 26, short_date(last)))
    drawn = [Markup('<text class="{}" x="{}" y="{}">{}</text>').format(*text) for text in texts]
    for place, each in enumerate(series):
        x = _LEFT + place * _KEY_WIDTH
        key = Markup('<rect class="line-{}" x="{}" y="70" width="14" height="4"/>').format(place, x)
        drawn.append(key + Markup('<text x="{}" y="77">{}</text>').format(x + 20, each.name))
    return Markup("\n").join(drawn)


def _in_words(made: Replay) -> str:
    mean = made.mean_over_challenger or 0.0
    return (
        f"against the challengers {signed(mean)} in the mean of {len(made.nights)} nights, "
        f"shown to be better on {made.nights_better} and worse on {made.nights_worse}"
    )
