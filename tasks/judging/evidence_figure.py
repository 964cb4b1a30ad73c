"""The figures that speak for and against a night's model: what of the manifests they show."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from data_contracts.drift import SurfaceDrift
from data_contracts.manifests import JudgeManifest, SegmentFigure
from data_contracts.report import NightReport
from tasks.report.drawing import DotPanel, Line, LinePanel, Mark, dot_drawing, line_drawing
from tasks.report.report_number import short_date

Curves = Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]  # fit -> metric -> (epoch, value)
SHARES = ("overlap", "rank_overlap", "changed_users", "items_in", "items_out", "popular_users")
_SERIES = ("challenger", "champion", "popularity", "interactions")
_DEVIATIONS = 1.96  # half a normal interval of 95 %


def figures(
    judge: JudgeManifest, curves: Curves, reports: Sequence[NightReport], *, primary: str
) -> dict[str, str]:
    """Return the figures by name, those that show anything. Arguments: see write_evidence."""
    dots = {
        "segments": (f"{primary} by segment, with intervals of 95 %", _segment_panels(judge)),
        "exposure": ("Share of interactions and of places in lists", _exposure_panels(judge)),
    }
    lines = {
        "learning_curve": ("Learning curve, by epoch", _learning_panels(curves)),
        "list_drift": ("Drift of the lists, night by night", _drift_panels(reports)),
    }
    drawn = {name: dot_drawing(*drawing, _SERIES) for name, drawing in dots.items() if drawing[1]}
    return drawn | {name: line_drawing(*drawing) for name, drawing in lines.items() if drawing[1]}


def _segment_panels(judge: JudgeManifest) -> list[DotPanel]:
    panels = [
        DotPanel(
            segmentation,
            tuple((segment, tuple(_segment_marks(models))) for segment, models in segments.items()),
        )
        for segmentation, segments in judge.segments.items()
    ]
    return [panel for panel in panels if any(marks for _, marks in panel.rows)]


def _segment_marks(models: Mapping[str, SegmentFigure]) -> Iterator[Mark]:
    for name, figure in models.items():
        half = _DEVIATIONS * (figure.standard_error or 0.0)
        if math.isfinite(figure.mean) and math.isfinite(half):
            yield Mark(name, figure.mean, figure.mean - half, figure.mean + half)


def _exposure_panels(judge: JudgeManifest) -> list[DotPanel]:
    tiers = dict.fromkeys(tier for shares in judge.exposure.values() for tier in shares)
    rows = tuple(
        (
            tier,
            tuple(
                Mark(name, shares[tier], shares[tier], shares[tier])
                for name, shares in judge.exposure.items()
                if math.isfinite(shares.get(tier, math.nan))
            ),
        )
        for tier in tiers
    )
    return [DotPanel("by popularity of the items", rows)] if any(marks for _, marks in rows) else []


def _learning_panels(curves: Curves) -> list[LinePanel]:
    metrics = dict.fromkeys(metric for of_fit in curves.values() for metric in of_fit)
    panels = [
        LinePanel(
            metric,
            _lines({fit: of_fit.get(metric, ()) for fit, of_fit in curves.items()}),
            "epoch {:.0f}".format,
        )
        for metric in metrics
    ]
    return [panel for panel in panels if panel.lines]


def _drift_panels(reports: Sequence[NightReport]) -> list[LinePanel]:
    drifts = surface_drifts(reports)
    panels = []
    for surface in dict.fromkeys(surface for _, surface, _ in drifts):
        of_surface = [(day.toordinal(), drift) for day, name, drift in drifts if name == surface]
        series = {
            name.replace("_", " "): [(day, getattr(drift, name)) for day, drift in of_surface]
            for name in SHARES
        }
        panels.append(LinePanel(f"surface {surface}", _lines(series), _day))
    return [panel for panel in panels if panel.lines]


def _lines(series: Mapping[str, Sequence[tuple[int, float]]]) -> tuple[Line, ...]:
    kept = {
        name: tuple((float(x), y) for x, y in points if math.isfinite(y))
        for name, points in series.items()
    }
    return tuple(Line(name, points) for name, points in kept.items() if points)


def _day(ordinal: float) -> str:
    return short_date(date.fromordinal(int(ordinal)))


def surface_drifts(reports: Sequence[NightReport]) -> list[tuple[date, str, SurfaceDrift]]:
    """Return night, surface and drift of all nights that were compared with an earlier one."""
    return [
        (report.run_date, surface, drift)
        for report in reports
        if report.drift is not None
        for surface, drift in report.drift.surfaces.items()
    ]
