"""The report of a night as one page: no network, no script, readable on a phone and on paper."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from data_contracts.drift import SurfaceDrift
from data_contracts.manifests import Interval
from data_contracts.plan import Outcome
from data_contracts.report import NightReport
from tasks.report import report_number
from tasks.report.report_figure import Scale, range_figure, side, whisker_figure, whisker_scale
from tasks.report.report_log_drift import log_drift_panels, log_drift_rows
from tasks.report.report_panel import panels, quarantined, trend_table
from tasks.report.report_rules import rule_notes, rule_rows
from tasks.report.report_segment import exposure_table, segment_tables

_MODELS = ("challenger", "champion", "popularity")
_DECIDING = "deciding metric"  # among the settings of the judgement
_RANKING = ("recall", "plain_recall", "precision", "ndcg", "map", "mrr", "hit_rate")
_DRIFT = {  # figure -> what it means, whether it is a share
    "users": ("users with a list", False),
    "shared_users": ("of them with a list before, too", False),
    "new_users": ("new users", False),
    "gone_users": ("users who are gone", False),
    "overlap": ("share of a list that stays", True),
    "rank_overlap": ("the same, first places counting most", True),
    "changed_users": ("users with another list, or another order", True),
    "items_in": ("listed items that were in no list before", True),
    "items_out": ("items listed before that are in no list now", True),
    "popular_users": ("users whose list is the popular one", True),
    "popular_overlap": ("share of a list that is in the popular one", True),
}


class _Gain(NamedTuple):
    metric: str
    interval: Interval
    side: str
    svg: Markup


class _Comparison(NamedTuple):
    against: str
    gains: tuple[_Gain, ...]  # of metrics of which more is better
    changes: tuple[_Gain, ...]  # of all others, in units of their own: written, not drawn


def report_page(report: NightReport, earlier: Sequence[NightReport] = ()) -> str:
    """Return the page of a night: one HTML document that needs nothing else.

    Everything that comes from data is escaped, and the page forbids the browser to run or to
    load anything.

    Args:
        report: of the night.
        earlier: reports of nights before it, for the trends; others are ignored.
    """
    before = sorted(
        (each for each in earlier if each.run_date < report.run_date), key=lambda e: e.run_date
    )
    nights, primary = [*before, report], primary_metric(report)
    return _environment().get_template("night.html.jinja").render(
        report=report,
        primary=primary,
        segments=segment_tables(report),
        exposed=exposure_table(report),
        outcome=_outcome(report),
        notes=_notes(report),
        models=[*(m for m in _MODELS if m in report.metrics), *_others(report.metrics, _MODELS)],
        metrics=[name for name in _metric_names(report) if _is_ranking(name)],
        other_metrics=[name for name in _metric_names(report) if not _is_ranking(name)],
        comparisons=_comparisons(report),
        panels=panels(nights, primary),
        trends=trend_table(nights, primary),
        quarantined=quarantined(report),
        drift_rows=_drift_rows(report),
        rules=rule_rows(report.rules),
        rule_notes=rule_notes(report.rules),
        log_drift=log_drift_rows(report),
        log_panels=log_drift_panels(nights),
        plan=[(each, _expectation(each)) for each in report.plan],
        settings=_extra(report, "settings"),
        lineage=_extra(report, "lineage"),
    )  # fmt: skip


def primary_metric(report: NightReport) -> str | None:
    """Return the metric that decided, as the settings of the judgement say.

    Where they do not, the longest that the verdict's sentence names; where it names none, the
    first that was compared; None where nothing was.
    """
    names = list(report.gain_over_popularity) or _metric_names(report)
    if (told := report.settings.get(_DECIDING)) in names:
        return told
    named = sorted((name for name in names if name in report.reason), key=len)
    return named[-1] if named else next(iter(names), None)


def _outcome(report: NightReport) -> str:
    standing, tried = report.champion_version, report.challenger_version
    if standing == tried:
        return f"Tonight's version {tried} makes the lists"
    return f"Version {standing} goes on making the lists, tonight's is version {tried}"


def _notes(report: NightReport) -> list[str]:
    """Return what a person should look at, most urgent first."""
    notes = []
    if not report.is_latest:
        notes.append("These tables are not the latest: readers see those of another night.")
    told = [*rule_notes(report.rules), *report.log_warnings]
    notes += [f"{warning.rstrip('.')}." for warning in told]
    if report.drift is not None:
        notes += [f"{warning.rstrip('.')}." for warning in report.drift.warnings]
    if files := len(report.refused_files):
        notes.append(f"{_several(files, 'file of the log', 'files of the log')} refused: see Log.")
    if report.short_lists:
        notes.append(f"{_several(report.short_lists, 'list', 'lists')} shorter than asked for.")
    if missed := sum(not each.inside for each in report.plan):
        notes.append(f"{missed} of {len(report.plan)} expectations of the plan did not hold.")
    return notes


def _several(n: int, one: str, more: str) -> str:
    return f"1 {one} is" if n == 1 else f"{report_number.count(n)} {more} are"


def _others(names: Mapping[str, object], known: Sequence[str]) -> list[str]:
    return [name for name in names if name not in known]


def _metric_names(report: NightReport) -> list[str]:
    """Return the metrics of all models, each once, in their order."""
    return list(dict.fromkeys(name for figures in report.metrics.values() for name in figures))


def _comparisons(report: NightReport) -> list[_Comparison]:
    given = {
        "the champion": _extra(report, "gain_over_champion"),
        "the popular list": report.gain_over_popularity,
    }
    return [_comparison(against, gains) for against, gains in given.items() if gains]


def _comparison(against: str, gains: Mapping[str, Interval]) -> _Comparison:
    shown = {name: each for name, each in gains.items() if _is_finite(each)}
    scale = whisker_scale([each for name, each in shown.items() if _is_ranking(name)])
    written = [_gain(name, each, scale) for name, each in shown.items()]
    return _Comparison(
        against,
        tuple(each for each in written if _is_ranking(each.metric)),
        tuple(each for each in written if not _is_ranking(each.metric)),
    )


def _is_ranking(metric: str) -> bool:
    """Tell whether more of a metric is better, on the scale of a share that is hit."""
    return metric.partition("@")[0] in _RANKING


def _gain(name: str, interval: Interval, scale: Scale) -> _Gain:
    svg = whisker_figure(interval, scale=scale, label=_gain_text(name, interval))
    return _Gain(name, interval, side(interval), svg)


def _is_finite(interval: Interval) -> bool:
    return all(math.isfinite(end) for end in (interval.low, interval.mean, interval.high))


def _gain_text(name: str, interval: Interval) -> str:
    ends = report_number.bounds(interval, report_number.signed)
    return f"{name}: {report_number.signed(interval.mean)}" + (f", {ends}" if ends else "")


def _drift_rows(report: NightReport) -> list[tuple[str, list[str]]]:
    """Return a row per figure, with a cell per surface."""
    if report.drift is None:
        return []
    names = _others(SurfaceDrift.model_fields, ()) if report.drift.surfaces else []
    words = {name: _DRIFT.get(name, (name.replace("_", " "), False)) for name in names}
    return [
        (meaning, [
            report_number.share(value) if is_share else report_number.count(value)
            for value in (getattr(each, name) for each in report.drift.surfaces.values())
        ])
        for name, (meaning, is_share) in words.items()
    ]  # fmt: skip


def _expectation(outcome: Outcome) -> Markup:
    expected = report_number.amounts(outcome.low, outcome.high, outcome.unit)
    label = f"expected {expected}, got {report_number.amount(outcome.got, outcome.unit)}"
    return range_figure(outcome.low, outcome.high, outcome.got, label=label)


def _extra(report: NightReport, name: str) -> dict[str, Any]:
    """Return what only some versions of the report hold."""
    return getattr(report, name, {})


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tasks.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("count", "share", "figure", "signed", "amount", "bounds", "long_date")
    environment.filters |= {name: getattr(report_number, name) for name in names}
    environment.globals |= {"signed": report_number.signed, "amounts": report_number.amounts}
    return environment
