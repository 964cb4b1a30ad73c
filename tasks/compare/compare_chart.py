"""The figure of a comparison: quality against seconds, memory and size, one dot a model."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from data_contracts.comparison import Comparison, ModelFit
from tasks.report.drawing import ticks
from tasks.report.report_figure import Scale

_WIDTH, _LEFT, _RIGHT = 760.0, 64.0, 736.0  # pixels; of the drawing, of its axis
_HEAD, _PANEL, _TITLE, _FOOT = 44.0, 250.0, 30.0, 34.0
_LINE, _LETTER, _SIDE = 13.0, 6.6, 8.0  # height of a label, width of a letter, gap to the dot
_LEAST = 0.01  # what is cheaper is drawn as if it cost this
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.title{font-size:15px;font-weight:600}"
    ".panel{font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}"
    ".axis{stroke:#ddd;stroke-width:1}.dot{fill:#1f5fa8}.interval{stroke:#1f5fa8;stroke-width:1.5}"
)
_COSTS: tuple[tuple[str, Callable[[ModelFit], float]], ...] = (
    ("seconds of the final fit", lambda fit: fit.train_seconds),
    ("peak memory of the process, MB", lambda fit: fit.peak_memory_mb),
    ("size of the model, MB", lambda fit: fit.model_mb),
)


class _Dot(NamedTuple):
    """A model: its quality with interval, and one cost."""

    name: str
    cost: float
    mean: float
    low: float
    high: float


class _Box(NamedTuple):
    """Where a label stands."""

    left: float
    top: float
    right: float

    def meets(self, other: "_Box") -> bool:
        """Tell whether two labels lie over each other."""
        apart = self.right < other.left or other.right < self.left
        return not apart and abs(self.top - other.top) < _LINE


def comparison_chart(comparison: Comparison) -> str:
    """Return an SVG document: the metric against what it cost, costs on a scale of factors.

    Args:
        comparison: models without figures are left out; without any the figure says so.
    """
    title = f"{comparison.metric} against cost"
    panels = [
        _panel(label, dots) for label, cost in _COSTS if (dots := list(_dots(comparison, cost)))
    ]
    shown = panels or [Markup('<text x="16" y="20">no model has figures</text>')]
    heights = [_HEAD + place * _PANEL for place in range(len(shown) + 1)]
    placed = Markup("\n").join(
        Markup('<g transform="translate(0 {})">{}</g>').format(top, panel)
        for top, panel in zip(heights, shown, strict=False)
    )
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" '
            'height="{h}" role="img"><title>{title}</title><style>{style}</style>\n'
            '<rect width="100%" height="100%" fill="#fff"/>\n'
            '<text class="title" x="16" y="26">{title}</text>\n{placed}</svg>\n'
        ).format(w=_WIDTH, h=heights[-1], title=title, style=Markup(_STYLE), placed=placed)
    )


def _dots(comparison: Comparison, cost: Callable[[ModelFit], float]) -> Iterator[_Dot]:
    for each in comparison.models:
        if each.fit is not None:
            quality = each.metrics[comparison.metric]
            spent = max(cost(each.fit), _LEAST)
            yield _Dot(each.name, spent, quality.mean, quality.low, quality.high)


def _panel(label: str, dots: Sequence[_Dot]) -> Markup:
    costs = [math.log10(dot.cost) for dot in dots]
    x = Scale(min(costs) - 0.1, max(costs) + 0.1, _LEFT, _RIGHT)
    bottom = _PANEL - _FOOT
    y = Scale(min(0.0, *(dot.low for dot in dots)), max(dot.high for dot in dots), bottom, _TITLE)
    parts = [Markup('<text class="panel" x="16" y="16">{}</text>').format(label)]
    parts += [_level(y(tick), tick) for tick in ticks(y.low, y.high)]
    parts += [_mark(x(math.log10(tick)), tick) for tick in factors(10**x.low, 10**x.high)]
    parts += [_drawn(dot, x, y) for dot in dots]
    parts += _labels(dots, x, y)
    return Markup("\n").join(parts)


def factors(low: float, high: float) -> list[float]:
    """Return round numbers from low to high for a scale of factors: powers of ten, or 1, 2, 5."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if high > 1000 * low else (1, 2, 5)
    found = [float(f"{times}e{power}") for power in powers for times in steps]
    inside = [each for each in found if low <= each <= high]
    return inside or [float(f"{math.sqrt(low * high):.2g}")]


def _level(y: float, value: float) -> Markup:
    return Markup(
        '<line class="axis" x1="{}" x2="{}" y1="{y}" y2="{y}"/>'
        '<text class="end" x="{}" y="{}">{}</text>'
    ).format(_LEFT, _RIGHT, _LEFT - 8, y + 4, f"{value:g}", y=y)


def _mark(x: float, value: float) -> Markup:
    bottom = _PANEL - _FOOT
    return Markup(
        '<line class="axis" x1="{x}" x2="{x}" y1="{}" y2="{}"/>'
        '<text class="mid" x="{x}" y="{}">{}</text>'
    ).format(_TITLE, bottom, bottom + 16, f"{value:,g}", x=x)


def _drawn(dot: _Dot, x: Scale, y: Scale) -> Markup:
    return Markup(
        '<line class="interval" x1="{x}" x2="{x}" y1="{}" y2="{}"/>'
        '<circle class="dot" cx="{x}" cy="{}" r="3.5"><title>{}</title></circle>'
    ).format(
        y(dot.low), y(dot.high), y(dot.mean), f"{dot.name}: {dot.mean:.4f}, {dot.cost:,g}",
        x=x(math.log10(dot.cost)),
    )  # fmt: skip


def _labels(dots: Sequence[_Dot], x: Scale, y: Scale) -> Iterator[Markup]:
    """Yield the names beside the dots, each moved down or up until it lies over no other."""
    taken: list[_Box] = []
    for dot in sorted(dots, key=lambda each: -each.mean):
        at, width = x(math.log10(dot.cost)), _LETTER * len(dot.name)
        left = at + _SIDE if at + _SIDE + width < _RIGHT else at - _SIDE - width
        wanted = _Box(left, y(dot.mean) + 4, left + width)
        shifts = sorted((step * _LINE for step in range(9, -10, -1)), key=abs)  # down first
        boxes = [wanted._replace(top=wanted.top + shift) for shift in shifts]
        inside = [each for each in boxes if 12 <= each.top <= _PANEL - _FOOT] or boxes
        free = [each for each in inside if not any(each.meets(other) for other in taken)]
        box = (free or inside)[0]
        taken.append(box)
        yield Markup('<text x="{}" y="{}">{}</text>').format(
            round(box.left, 1), round(box.top, 1), dot.name
        )
