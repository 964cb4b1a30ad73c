"""The night's report as Markdown, for Prefect, MLflow and people with an editor."""

from collections.abc import Iterator

from data_contracts.drift import Drift, SurfaceDrift
from data_contracts.manifests import Interval
from data_contracts.report import NightReport


def markdown(report: NightReport) -> str:
    """Return the report; the verdict comes first."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: NightReport) -> Iterator[str]:
    yield f"# Night of {report.run_date}: {report.verdict}\n"
    yield f"{report.reason}. The tables come from version {report.champion_version}.\n"
    yield f"## Figures on {report.judged_users} held-out users\n"
    names = list(next(iter(report.metrics.values()), {}))
    yield f"| model | {' | '.join(names)} |\n|---|{'---|' * len(names)}"
    for model, metrics in report.metrics.items():
        yield f"| {model} | {' | '.join(interval_text(metrics[name]) for name in names)} |"
    yield "\n## Log\n"
    yield f"{report.accepted} of {report.rows} rows accepted.\n"
    yield "| rule | rows |\n|---|---|"
    yield from (f"| {rule} | {count} |" for rule, count in sorted(report.quarantined.items()))
    for file in report.refused_files:
        yield f"\nRefused: {file.path} ({file.rule}): {file.reason}"
    yield "\n## Tables\n"
    yield "| table | rows |\n|---|---|"
    yield from (f"| {table} | {rows} |" for table, rows in report.table_rows.items())
    if report.drift is not None:
        yield from _drift(report.drift)


def _drift(drift: Drift) -> Iterator[str]:
    yield f"\n## Lists against {drift.previous_snapshot}\n"
    names = list(SurfaceDrift.model_fields)
    yield f"| surface | {' | '.join(name.replace('_', ' ') for name in names)} |"
    yield f"|---|{'---|' * len(names)}"
    for surface, figures in drift.surfaces.items():
        cells = (getattr(figures, name) for name in names)
        shown = (f"{cell:.1%}" if isinstance(cell, float) else str(cell) for cell in cells)
        yield f"| {surface} | {' | '.join(shown)} |"
    yield from (f"\nWarning: {warning}" for warning in drift.warnings)


def interval_text(interval: Interval) -> str:
    """Return a mean with its interval, or the mean alone where there is none."""
    if interval.low == interval.high:
        return f"{interval.mean:.4f}"
    return f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"
