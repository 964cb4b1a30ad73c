"""Figures that stand alone: one SVG file each, its words and colours inside it.

Those of the night's page take both from the page (see report_figure). Two kinds: lines over a
number, and dots with intervals in rows.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from tasks.report.report_figure import Scale

_WIDTH, _LEFT, _RIGHT = 760.0, 190.0, 736.0  # pixels; of the drawing, of its axis
_HEAD, _TITLE, _FOOT, _LINES, _ROW = 56.0, 30.0, 30.0, 150.0, 15.0
_COLOURS = ("#1f5fa8", "#c4501b", "#5b6770", "#2e8b57", "#7b4ba0", "#a08000")
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.title{font-size:15px;font-weight:600}"
    ".panel{font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}"
    ".axis{stroke:#ccc;stroke-width:1}polyline{fill:none;stroke-width:2}.interval{stroke-width:2}"
) + "".join(
    f".s{k}{{stroke:{colour};fill:{colour}}}polyline.s{k}{{fill:none}}"
    for k, colour in enumerate(_COLOURS)
)


Colours = dict[str, str]  # series -> class


class Line(NamedTuple):
    """A series of (x, y), x rising, both finite."""

    name: str
    points: tuple[tuple[float, float], ...]


class LinePanel(NamedTuple):
    """Lines over one axis, at least one point among them."""

    title: str
    lines: tuple[Line, ...]
    form: Callable[[float], str]  # writes an x


class Mark(NamedTuple):
    """A value with its interval, all finite."""

    name: str
    mean: float
    low: float
    high: float


class DotPanel(NamedTuple):
    """Rows of marks over one axis, at least one mark among them."""

    title: str
    rows: tuple[tuple[str, tuple[Mark, ...]], ...]


def line_drawing(title: str, panels: Sequence[LinePanel], order: Sequence[str] = ()) -> str:
    """Return panels of lines, one below the other, as an SVG document.

    Args:
        title: what they show.
        panels: at least one.
        order: names of series, each with its colour whether it is there or not.
    """
    names = _colours([line.name for panel in panels for line in panel.lines], order)
    heights = [_TITLE + _LINES + _FOOT] * len(panels)
    return _document(title, names, heights, [_line_panel(panel, names) for panel in panels])


def dot_drawing(title: str, panels: Sequence[DotPanel], order: Sequence[str] = ()) -> str:
    """Return panels of dots in rows, one below the other, as an SVG document.

    Arguments: see line_drawing.
    """
    marks = [mark for panel in panels for _, row in panel.rows for mark in row]
    names = _colours([mark.name for mark in marks], order)
    heights = [_TITLE + len(panel.rows) * _row_height(names) + _FOOT for panel in panels]
    return _document(title, names, heights, [_dot_panel(panel, names) for panel in panels])


def ticks(low: float, high: float) -> list[float]:
    """Return up to six round numbers from low to high, or low where there is no range."""
    if high <= low:
        return [low]
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def _colours(found: Sequence[str], order: Sequence[str]) -> Colours:
    """The series in their order, those that are there."""
    every = dict.fromkeys([*order, *found])
    return {name: f"s{k % len(_COLOURS)}" for k, name in enumerate(every) if name in set(found)}


def _document(
    title: str, names: Colours, heights: Sequence[float], panels: Sequence[Markup]
) -> str:
    offsets = list(itertools.accumulate(heights, initial=_HEAD))
    placed = Markup("").join(
        Markup('<g transform="translate(0 {})">{}</g>').format(offset, panel)
        for offset, panel in zip(offsets, panels, strict=False)
    )
    document = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}"'
        ' role="img"><title>{title}</title><style>{style}</style>'
        '<rect width="100%" height="100%" fill="#fff"/>'
        '<text class="title" x="16" y="24">{title}</text>{legend}{placed}</svg>\n'
    ).format(
        w=_WIDTH, h=offsets[-1], title=title, style=Markup(_STYLE), legend=_legend(names),
        placed=placed,
    )  # fmt: skip
    return str(document)


def _legend(names: Colours) -> Markup:
    at, parts = 22.0, []
    for name in names:
        parts.append(
            Markup(
                '<circle class="{}" cx="{}" cy="42" r="4"/><text x="{}" y="46">{}</text>'
            ).format(names[name], at, at + 9, name)
        )
        at += 32 + 7 * len(name)
    return Markup("").join(parts)


def _line_panel(panel: LinePanel, names: Colours) -> Markup:
    points = [point for line in panel.lines for point in line.points]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x = Scale(min(xs), max(xs), _LEFT, _RIGHT)
    y = Scale(min(ys), max(ys), _TITLE + _LINES, _TITLE + 8)
    parts = [_panel_title(panel.title), *(_level(y(tick), tick) for tick in ticks(y.low, y.high))]
    ends = dict.fromkeys((x.low, x.high))
    parts += [
        Markup('<text class="{}" x="{}" y="{}">{}</text>').format(
            "end" if each > x.low else "", x(each), _TITLE + _LINES + 18, panel.form(each)
        )
        for each in ends
    ]
    for line in panel.lines:
        parts += _line(line, names[line.name], x, y)
    return Markup("").join(parts)


def _level(y: float, value: float) -> Markup:
    return Markup(
        '<line class="axis" x1="{}" x2="{}" y1="{y}" y2="{y}"/>'
        '<text class="end" x="{}" y="{}">{}</text>'
    ).format(_LEFT, _RIGHT, _LEFT - 8, y + 4, f"{value:g}", y=y)


def _line(line: Line, series: str, x: Scale, y: Scale) -> Iterator[Markup]:
    places = [(x(a), y(b), b) for a, b in line.points]
    path = " ".join(f"{a},{b}" for a, b, _ in places)
    yield Markup('<polyline class="{}" points="{}"/>').format(series, path)
    dot = Markup('<circle class="{}" cx="{}" cy="{}" r="2.5"><title>{}</title></circle>')
    for a, b, value in places:
        yield dot.format(series, a, b, f"{line.name}: {value:g}")


def _dot_panel(panel: DotPanel, names: Colours) -> Markup:
    marks = [mark for _, row in panel.rows for mark in row]
    low, high = min(0.0, *(m.low for m in marks)), max(m.high for m in marks)
    x, height = Scale(low, high, _LEFT, _RIGHT), _row_height(names)
    bottom = _TITLE + len(panel.rows) * height
    grid = Markup(
        '<line class="axis" x1="{x}" x2="{x}" y1="{}" y2="{}"/>'
        '<text class="mid" x="{x}" y="{}">{}</text>'
    )
    parts = [
        _panel_title(panel.title),
        *(
            grid.format(_TITLE, bottom, bottom + 16, f"{tick:g}", x=x(tick))
            for tick in ticks(low, high)
        ),
    ]
    for place, (label, row) in enumerate(panel.rows):
        parts += _row(label, row, names, _TITLE + place * height, x)
    return Markup("").join(parts)


def _row(
    label: str, marks: Sequence[Mark], names: Colours, top: float, x: Scale
) -> Iterator[Markup]:
    middle = top + _row_height(names) / 2
    yield Markup('<text class="end" x="{}" y="{}">{}</text>').format(_LEFT - 8, middle + 4, label)
    for mark in marks:
        y = top + 4 + (list(names).index(mark.name) + 0.5) * _ROW * 0.6
        yield Markup(
            '<line class="interval {s}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>'
            '<circle class="{s}" cx="{}" cy="{y}" r="3.5"><title>{}</title></circle>'
        ).format(
            x(mark.low), x(mark.high), x(mark.mean), f"{label}, {mark.name}: {mark.mean:.4f}",
            s=names[mark.name], y=round(y, 2),
        )  # fmt: skip


def _row_height(names: Colours) -> float:
    return 8 + _ROW * max(1.0, 0.6 * len(names))


def _panel_title(title: str) -> Markup:
    return Markup('<text class="panel" x="16" y="18">{}</text>').format(title)
