"""Drawings of the page: places, holes, words."""

import math
import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.manifests import Interval
from tasks.report.report_figure import (
    Point,
    Scale,
    Series,
    beyond,
    finite,
    line_figure,
    range_figure,
    side,
    value_range,
    whisker_figure,
    whisker_scale,
)
from tasks.report.report_number import count, figure
from tests.night_report import LAST, interval

numbers = st.floats(-1e12, 1e12)


def series(values: list[float], days: list[int] | None = None, name: str = "rows") -> Series:
    """One value a day, or on given days."""
    places = days or list(range(len(values)))
    points = (Point(LAST + timedelta(k), value) for k, value in zip(places, values, strict=True))
    return Series(name, tuple(points))


def drawn(*lines: Series, from_zero: bool = True, label: str = "rows") -> ET.Element:
    """The parsed drawing; parsing fails where something is not escaped."""
    values = value_range(lines, from_zero=from_zero, most=None)
    return ET.fromstring(line_figure(lines, values=values, form=count, label=label))


@given(ends=st.tuples(numbers, numbers), a=numbers, b=numbers)
def test_scale_keeps_the_order_and_stays_inside(ends, a, b):
    """Larger values never lie further left, and none lies outside."""
    scale = Scale(min(ends), max(ends), 3.0, 97.0)
    low, high = scale(min(a, b)), scale(max(a, b))
    assert 3.0 <= low <= high <= 97.0


@given(st.lists(numbers, min_size=1, max_size=29))
def test_every_night_has_a_dot_inside_the_drawing(values):
    """However the numbers lie, flat, huge or negative."""
    dots = drawn(series(values), from_zero=False).findall("circle")
    assert len(dots) == len(values)
    places = [float(dot.get(axis).removesuffix("%")) for dot in dots for axis in ("cx", "cy")]
    assert all(0 <= place <= 100 for place in places)


def test_a_line_breaks_where_nights_are_missing():
    """Weekly nights are whole, a missing week is a hole."""
    whole = drawn(series([1.0, 2.0, 3.0], [0, 7, 14]))
    holed = drawn(series([1.0, 2.0, 3.0, 4.0], [0, 7, 21, 28]))
    assert len(whole.findall(".//polyline")) == 1
    assert len(holed.findall(".//polyline")) == 2


def test_higher_values_are_drawn_higher():
    """The axis of a drawing points down, ours up."""
    low, high = drawn(series([1.0, 5.0])).findall("circle")
    assert float(low.get("cy")[:-1]) > float(high.get("cy")[:-1])


def test_the_first_series_has_the_band_and_lies_on_top():
    """What is drawn last covers the rest."""
    points = [Point(LAST + timedelta(k), 0.2, 0.1, 0.3) for k in range(3)]
    svg = drawn(Series("challenger", tuple(points)), Series("champion", tuple(points)))
    assert len(svg.findall(".//polygon")) == 1
    assert [line.get("class") for line in svg.findall(".//polyline")] == ["line-1", "line-0"]


def test_a_first_night_that_flattens_all_others_is_above_the_axis():
    """The first night takes the whole log; a later burst is a fact to see."""
    backlog, burst = series([199825.0, 7300.0, 7400.0]), series([7300.0, 7400.0, 199825.0])
    assert beyond([backlog]) == backlog.points[0]
    assert value_range([backlog], from_zero=True, most=None).high == 7400
    assert [dot.get("class") for dot in drawn(backlog).findall("circle")].count(
        "line-0 above-axis"
    ) == 1
    assert beyond([burst]) is None
    assert beyond([series([12.0, 0.0, 0.0])]) is None  # zeros need no room
    assert beyond([series([5.0])]) is None


def test_what_is_no_number_is_not_drawn():
    """A series of such nights alone is none."""
    kept = finite([series([1.0, math.nan, math.inf]), series([math.nan])])
    assert [[point.value for point in each.points] for each in kept] == [[1.0]]


def test_labels_are_escaped():
    """Names come from the configuration and are not trusted either."""
    hostile = '"><script>alert(1)</script>'
    svg = drawn(series([1.0, 2.0], name=hostile), label=hostile)
    assert svg.get("aria-label") == hostile
    assert hostile in svg.find("circle").find("title").text


@pytest.mark.parametrize(
    ("low", "mean", "high", "expected"),
    [(0.1, 0.2, 0.3, "above"), (-0.3, -0.2, -0.1, "below"), (-0.1, 0.0, 0.1, "open")],
)
def test_a_whisker_says_on_which_side_of_zero_it_lies(low, mean, high, expected):
    """An interval that touches zero is on neither."""
    gain = Interval(mean=mean, low=low, high=high)
    svg = whisker_figure(gain, scale=whisker_scale([gain, interval(0.0, 0.5)]), label="recall")
    ends = [float(place) for place in re.findall(r'x\d="([\d.]+)%"', svg)]
    zero, left, right = ends[0], ends[2], ends[3]
    assert side(gain) == expected
    assert f'class="whisker {expected}"' in svg
    assert (left > zero, right < zero) == (expected == "above", expected == "below")


def test_a_point_is_on_neither_side_of_itself():
    """No difference at all is drawn, in the middle of nothing."""
    assert side(interval(0.0, 0.0)) == "open"
    assert whisker_scale([interval(0.0, 0.0)])(0.0) == 50


@pytest.mark.parametrize(("got", "expected"), [(4.0, "inside"), (9.0, "outside"), (0.0, "outside")])
def test_a_range_says_whether_it_held(got, expected):
    """Also where more came than the drawing would have held."""
    assert f'class="{expected}"' in range_figure(1.0, 5.0, got, label=figure(got))
