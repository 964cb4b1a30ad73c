"""Figures by segment, and what lists expose, as tables of the night's page."""

from collections.abc import Mapping
from typing import NamedTuple

from data_contracts.manifests import SegmentFigure
from data_contracts.report import NightReport
from tasks.report.report_number import NOTHING, count, figure, share

_PLACES = {"interactions": "interactions of training"}  # others are models


class SegmentTable(NamedTuple):
    """A table with a row per segment or tier."""

    title: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]  # name -> cells


def segment_tables(report: NightReport) -> list[SegmentTable]:
    """Return one table per segmentation: users, and the mean of every model with its error."""
    models = list(report.metrics)
    return [
        SegmentTable(
            title,
            ("users", *models),
            {segment: _cells(figures, models) for segment, figures in segments.items()},
        )
        for title, segments in report.segments.items()
        if segments
    ]


def exposure_table(report: NightReport) -> SegmentTable | None:
    """Return which share of interactions and of list places each tier of items has."""
    if not report.exposure:
        return None
    tiers = dict.fromkeys(tier for shares in report.exposure.values() for tier in shares)
    return SegmentTable(
        "What lists expose",
        tuple(_PLACES.get(name, name) for name in report.exposure),
        {
            tier: tuple(
                share(shares[tier]) if tier in shares else NOTHING
                for shares in report.exposure.values()
            )
            for tier in tiers
        },
    )


def _cells(figures: Mapping[str, SegmentFigure], models: list[str]) -> tuple[str, ...]:
    users = max((each.n_users for each in figures.values()), default=0)
    return count(users), *(
        _figure(figures[model]) if model in figures else NOTHING for model in models
    )


def _figure(found: SegmentFigure) -> str:
    error = found.standard_error
    return figure(found.mean) + (f" ± {figure(error)}" if error is not None else "")
