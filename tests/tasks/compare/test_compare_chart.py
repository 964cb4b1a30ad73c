"""The figure of a comparison: a whole SVG for any figures, every dot and label in its place."""

import itertools
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.compare.compare_chart import comparison_chart, factors
from tests.compared import comparison, failed, fitted

SVG = "{http://www.w3.org/2000/svg}"
COST = st.floats(0.0, 1e6)


def panels(svg: str) -> list[ET.Element]:
    """The parts of a drawing."""
    return ET.fromstring(svg).findall(f"{SVG}g")


def places(panel: ET.Element) -> dict[str, tuple[float, float]]:
    """Where the dots are, by what they say of themselves."""
    return {
        dot.find(f"{SVG}title").text.split(":")[0]: (float(dot.get("cx")), float(dot.get("cy")))
        for dot in panel.iter(f"{SVG}circle")
    }


def test_dots_stand_where_figures_say():
    """Dearer is further right, better is higher; equal factors are equal distances."""
    made = comparison(
        fitted("best", 0.5, train_seconds=100.0), fitted("mid", 0.4, train_seconds=10.0),
        fitted("cheap", 0.2, train_seconds=1.0), failed("none", "no memory"),
    )  # fmt: skip
    seconds, memory, size = panels(comparison_chart(made))
    at = places(seconds)
    assert set(at) == {"best", "mid", "cheap"}
    assert at["cheap"][0] < at["mid"][0] < at["best"][0]
    assert at["best"][0] - at["mid"][0] == pytest.approx(at["mid"][0] - at["cheap"][0], abs=0.1)
    assert at["best"][1] < at["mid"][1] < at["cheap"][1]
    assert len({x for x, _ in places(memory).values()}) == 1
    assert len(places(size)) == 3


def test_names_do_not_lie_over_each_other():
    """Eight models of one cost and nearly one quality."""
    made = comparison(*(fitted(f"model {k}", 0.4 + k / 1e4) for k in range(8)))
    texts = [
        (float(each.get("x")), float(each.get("y")))
        for each in panels(comparison_chart(made))[0].iter(f"{SVG}text")
        if each.text.startswith("model ")
    ]
    heights = sorted(y for _, y in texts)
    assert len(heights) == 8
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 12


@settings(max_examples=30)
@given(
    rows=st.lists(st.tuples(st.floats(0.0, 1.0), COST, st.text("a<&\"'ž", min_size=1)), max_size=5)
)
def test_any_comparison_is_a_valid_document(rows):
    """Markup in a name, costs of zero, a single model, none at all."""
    made = comparison(
        *(fitted(f"{k}{name}", mean, train_seconds=cost) for k, (mean, cost, name) in
          enumerate(rows))
    )  # fmt: skip
    svg = comparison_chart(made)
    root = ET.fromstring(svg)
    assert "nan" not in svg
    dots = list(root.iter(f"{SVG}circle"))
    assert len(dots) == 3 * len(rows)
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(0 < float(dot.get("cx")) < width for dot in dots)
    assert all(0 < float(dot.get("cy")) < height for dot in dots)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.9, 11.0, [1.0, 2.0, 5.0, 10.0]),
        (0.05, 600.0, [0.1, 1.0, 10.0, 100.0]),
        (3.0, 4.0, [3.5]),
    ],
)
def test_factors_are_round(low, high, expected):
    """Powers of ten over a wide range, 1, 2, 5 over a narrow one."""
    assert factors(low, high) == pytest.approx(expected)
