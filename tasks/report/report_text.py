"""The night's report as Markdown, for Prefect, MLflow and people with an editor."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from data_contracts.drift import Drift, SurfaceDrift
from data_contracts.manifests import Interval
from data_contracts.plan import Outcome, Range
from data_contracts.report import NightReport
from tasks.report.report_log_drift import log_drift_rows
from tasks.report.report_rules import rule_notes, rule_rows


def markdown(report: NightReport) -> str:
    """Return the report; the verdict comes first."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: NightReport) -> Iterator[str]:
    yield f"# Night of {report.run_date}: {report.verdict}\n"
    yield f"{report.reason}. The tables come from version {report.champion_version}.\n"
    yield f"## Figures on {report.judged_users} held-out users\n"
    yield f"| metric | {' | '.join(report.metrics)} |\n|---|{'---|' * len(report.metrics)}"
    for name, *cells in metric_rows(report.metrics):
        yield f"| {name} | {' | '.join(cells)} |"
    yield "\n## Log\n"
    yield f"{report.accepted} of {report.rows} rows accepted.\n"
    yield "| rule | rows |\n|---|---|"
    yield from (f"| {rule} | {count} |" for rule, count in sorted(report.quarantined.items()))
    for file in report.refused_files:
        yield f"\nRefused: {file.path} ({file.rule}): {file.reason}"
    yield "\n## Tables\n"
    yield "| table | rows |\n|---|---|"
    yield from (f"| {table} | {rows} |" for table, rows in report.table_rows.items())
    if report.rules:
        yield from _rules(report)
    if report.log_drift:
        yield from _log_drift(report)
    if report.drift is not None:
        yield from _drift(report.drift)
    if report.plan:
        yield from _plan(report.plan)


def _rules(report: NightReport) -> Iterator[str]:
    yield "\n## Rules of the day\n"
    yield "| rule | day | figure | limit | outcome |\n|---|---|---|---|---|"
    yield from (f"| {' | '.join(row)} |" for row in rule_rows(report.rules))
    yield from (f"\nWarning: {note}" for note in rule_notes(report.rules))


def _log_drift(report: NightReport) -> Iterator[str]:
    yield "\n## Log against the days before\n"
    yield "| figure | value | usual | by chance up to | state |\n|---|---|---|---|---|"
    yield from (f"| {' | '.join(row)} |" for row in log_drift_rows(report))
    yield from (f"\nWarning: {warning}" for warning in report.log_warnings)


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


def _plan(plan: Sequence[Outcome]) -> Iterator[str]:
    yield f"\n## Plan: {plan_sentence(plan)}\n"
    yield "| what | expected | came |\n|---|---|---|"
    for each in plan:
        mark = "" if each.inside else " (outside)"
        yield f"| {each.what}, {each.unit} | {range_text(each)} | {each.got:,.6g}{mark} |"


def plan_sentence(plan: Sequence[Outcome]) -> str:
    """Return how much of a plan held, in words."""
    held = sum(each.inside for each in plan)
    return f"{held} of {len(plan)} figures inside their ranges"


def range_text(expected: Range | Outcome) -> str:
    """Return the bounds of an estimate, with as many digits as an estimate can bear."""
    low, high = (
        f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
        for value in (expected.low, expected.high)
    )
    return low if low == high else f"{low} to {high}"


def metric_rows(
    models: Mapping[str, Mapping[str, Interval]], only: Collection[str] | None = None
) -> Iterator[tuple[str, ...]]:
    """Yield a metric's name and its figure of every model, empty where it is not known.

    Args:
        models: model -> metric -> figure.
        only: metrics to take; by default all.
    """
    for name in dict.fromkeys(name for figures in models.values() for name in figures):
        if only is None or name in only:
            yield (
                name,
                *(
                    interval_text(figures[name]) if name in figures else ""
                    for figures in models.values()
                ),
            )


def interval_text(interval: Interval) -> str:
    """Return a mean with its interval, or the mean alone where there is none."""
    if interval.low == interval.high:
        return f"{interval.mean:.4f}"
    return f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"
