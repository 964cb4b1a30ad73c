"""Ticks and places of figures that stand alone."""

import itertools
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.report.drawing import DotPanel, Line, LinePanel, Mark, dot_drawing, line_drawing, ticks

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.35, 0.43, [0.36, 0.38, 0.4, 0.42]),
        (-0.2, 0.3, [-0.2, -0.1, 0.0, 0.1, 0.2, 0.3]),
        (3.0, 3.0, [3.0]),
    ],
)
def test_ticks_are_round(low, high, expected):
    """Numbers that a person would have chosen."""
    assert ticks(low, high) == pytest.approx(expected)


@given(low=NUMBERS, width=st.floats(1e-3, 1e6))
def test_ticks_lie_inside_and_apart(low, width):
    """Two to six of them, rising evenly, none outside the axis by more than rounding."""
    high = low + width
    found = ticks(low, high)
    assert 2 <= len(found) <= 6
    slack = 1e-6 * width
    assert low - slack <= found[0] < found[-1] <= high + slack
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert max(steps) - min(steps) <= slack


def numbers(root, tag, name):
    """An attribute of all shapes that tell their number."""
    return [float(each.get(name)) for each in root.iter(f"{SVG}{tag}") if len(each)]


@given(values=st.lists(NUMBERS, min_size=1, max_size=8))
def test_lines_stay_inside_and_keep_their_order(values):
    """Whatever the numbers: higher is never drawn lower."""
    line = Line("a", tuple((float(k), value) for k, value in enumerate(values)))
    root = ET.fromstring(line_drawing("t", [LinePanel("p", (line,), "{:g}".format)]))
    xs, ys = numbers(root, "circle", "cx"), numbers(root, "circle", "cy")
    assert xs == sorted(xs)
    assert all(0 <= x <= float(root.get("width")) for x in xs)
    assert all(30 <= y <= 180 for y in ys)  # inside the panel
    by_value = [y for _, y in sorted(zip(values, ys, strict=True), key=lambda pair: pair[0])]
    assert all(b <= a for a, b in itertools.pairwise(by_value))


@given(means=st.lists(NUMBERS, min_size=1, max_size=5), half=st.floats(0, 100))
def test_dots_lie_in_their_intervals_and_zero_on_the_axis(means, half):
    """The axis holds zero, so that lengths can be compared."""
    marks = tuple(Mark(f"m{k}", mean, mean - half, mean + half) for k, mean in enumerate(means))
    root = ET.fromstring(dot_drawing("t", [DotPanel("p", (("row", marks),))]))
    shown = numbers(root, "circle", "cx")
    ends = [
        (float(each.get("x1")), float(each.get("x2")))
        for each in root.iter(f"{SVG}line")
        if each.get("class").startswith("interval")
    ]
    assert len(shown) == len(ends) == len(means)
    assert all(low <= at <= high for at, (low, high) in zip(shown, ends, strict=True))
    assert all(190 <= low <= high <= 736 for low, high in ends)
