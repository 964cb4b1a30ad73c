"""What speaks for and against a night's model: tables and figures, each a file of its own."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from data_contracts.manifests import Interval, JudgeManifest
from data_contracts.report import NightReport
from tasks.judging.evidence_figure import SHARES, Curves, figures, surface_drifts

_FIGURE = ("mean", "standard_error", "n_users")
_INTERVAL = ("metric", "mean", "low", "high", "standard_error", "n_users")
Row = tuple[str | float | None, ...]


class Table(NamedTuple):
    """Rows under named columns."""

    columns: tuple[str, ...]
    rows: list[Row]


def write_evidence(
    folder: Path,
    judge: JudgeManifest,
    curves: Curves,
    reports: Sequence[NightReport],
    *,
    primary: str,
) -> None:
    """Write the tables and figures of a night; what there is nothing to say about is left out.

    A table is JSON of ``columns`` and ``data``, as MLflow reads it; a figure is SVG.

    Args:
        folder: is there, and empty.
        judge: of the night.
        curves: of its training.
        reports: of the nights up to this one, oldest first.
        primary: the metric that the segments tell.
    """
    for name, table in tables(judge, curves, reports).items():
        if table.rows:
            text = json.dumps({"columns": table.columns, "data": table.rows}, allow_nan=False)
            (folder / f"{name}.json").write_text(text, encoding="utf-8")
    for name, drawing in figures(judge, curves, reports, primary=primary).items():
        (folder / f"{name}.svg").write_text(drawing, encoding="utf-8")


def tables(
    judge: JudgeManifest, curves: Curves, reports: Sequence[NightReport]
) -> dict[str, Table]:
    """Return the tables by name; a number that is none is null. Arguments: see write_evidence."""
    return _judged_tables(judge) | {
        "learning_curve": Table(
            ("fit", "metric", "epoch", "value"),
            [
                (fit, metric, epoch, _number(value))
                for fit, metrics in curves.items()
                for metric, curve in metrics.items()
                for epoch, value in curve
            ],
        ),
        "list_drift": Table(
            ("run_date", "surface", *SHARES),
            [
                (str(day), surface, *_numbers(drift, SHARES))
                for day, surface, drift in surface_drifts(reports)
            ],
        ),
    }


def _judged_tables(judge: JudgeManifest) -> dict[str, Table]:
    gains = {"champion": judge.gain_over_champion, "popularity": judge.gain_over_popularity}
    detectable = judge.detectable
    return {
        "metrics": Table(("model", *_INTERVAL), _intervals(judge.metrics)),
        "gains": Table(
            ("against", *_INTERVAL, "detectable"),
            [(*row, _number(detectable.get(str(row[1])))) for row in _intervals(gains)],
        ),
        "segments": Table(
            ("segmentation", "segment", "model", *_FIGURE),
            [
                (segmentation, segment, model, *_numbers(each, _FIGURE))
                for segmentation, segments in judge.segments.items()
                for segment, models in segments.items()
                for model, each in models.items()
            ],
        ),
        "exposure": Table(
            ("of", "tier", "share"),
            [
                (name, tier, _number(share))
                for name, tiers in judge.exposure.items()
                for tier, share in tiers.items()
            ],
        ),
    }


def _intervals(
    groups: Mapping[str, Mapping[str, Interval]],
) -> list[Row]:
    return [
        (group, metric, *_numbers(interval, _INTERVAL[1:]))
        for group, metrics in groups.items()
        for metric, interval in metrics.items()
    ]


def _numbers(of: object, names: Iterable[str]) -> list[float | None]:
    return [_number(getattr(of, name)) for name in names]


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
