"""The trends of the night's page: small drawings, one subject each, over the same nights."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from markupsafe import Markup

from data_contracts.manifests import Interval
from data_contracts.report import NightReport
from tasks.report.report_figure import (
    Point,
    Scale,
    Series,
    beyond,
    finite,
    line_figure,
    value_range,
)
from tasks.report.report_number import NOTHING, Form, count, figure, share, short_date

Read = Callable[[NightReport], float | Interval | None]


class Panel(NamedTuple):
    """One drawing with the words around it."""

    title: str
    svg: Markup
    latest: tuple[tuple[str, str], ...]  # series, its value in its last night
    top: str  # ends of the axis
    bottom: str
    first_day: str
    last_day: str
    beyond: str  # what is above the axis


class Subject(NamedTuple):
    """What one drawing shows, and how it is written."""

    title: str
    form: Form
    series: Mapping[str, Read]
    from_zero: bool = True
    most: float | None = None


class TrendTable(NamedTuple):
    """The numbers of all drawings, a night a row, the last one first."""

    columns: tuple[str, ...]
    rows: tuple[tuple[date, tuple[str, ...]], ...]


def panels(reports: Sequence[NightReport], primary: str | None) -> list[Panel]:
    """Return the drawings that have anything to show.

    Args:
        reports: of nights in their order, at least one.
        primary: the metric that decides; None where nobody was judged.
    """
    return drawn(_subjects(primary), reports)


def drawn(subjects: Sequence[Subject], reports: Sequence[NightReport]) -> list[Panel]:
    """Return the drawings of some subjects, without those that have nothing to show.

    Args:
        subjects: of one or two series each.
        reports: of nights in their order, at least one.
    """
    found = ((subject, _series(subject, reports)) for subject in subjects)
    return [_panel(subject, series) for subject, series in found if series]


def trend_table(reports: Sequence[NightReport], primary: str | None) -> TrendTable:
    """Return the same numbers as a table."""
    read = [
        (f"{subject.title}: {name}" if len(subject.series) > 1 else subject.title, subject, get)
        for subject in _subjects(primary)
        for name, get in subject.series.items()
    ]
    rows = tuple(
        (report.run_date, tuple(_written(subject, get(report)) for _, subject, get in read))
        for report in reversed(reports)
    )
    return TrendTable(tuple(title for title, _, _ in read), rows)


def _subjects(primary: str | None) -> list[Subject]:
    metric = [] if primary is None else [
        Subject(
            primary,
            figure,
            {name: _metric(name, primary) for name in ("challenger", "champion")},
            from_zero=False,
        )
    ]  # fmt: skip
    return [
        *metric,
        Subject("Rows accepted", count, {"rows": lambda night: night.accepted}),
        Subject("Rows quarantined", count, {"rows": quarantined}),
        Subject("Users", count, {"users": lambda night: night.users}, from_zero=False),
        Subject("Items", count, {"items": lambda night: night.items}, from_zero=False),
        Subject("Users without a model list", share, {"users": lambda night: night.fallback_share}),
        Subject("Short lists", count, {"lists": lambda night: night.short_lists}),
        Subject("Share of a list that stays", share, {"lists": _overlap}, most=1.0),
    ]


def quarantined(night: NightReport) -> int:
    """Return the rows of the log that were not accepted."""
    return night.rows - night.accepted


def _metric(model: str, name: str) -> Read:
    return lambda night: night.metrics.get(model, {}).get(name)


def _overlap(night: NightReport) -> float | None:
    """Return the mean over the surfaces, each with the weight of its users."""
    surfaces = night.drift.surfaces.values() if night.drift else ()
    users = sum(each.shared_users for each in surfaces)
    return sum(each.overlap * each.shared_users for each in surfaces) / users if users else None


def _series(subject: Subject, reports: Sequence[NightReport]) -> list[Series]:
    return finite(
        [
            Series(name, tuple(p for report in reports if (p := _point(report, read)) is not None))
            for name, read in subject.series.items()
        ]
    )


def _point(report: NightReport, read: Read) -> Point | None:
    match read(report):
        case None:
            return None
        case Interval() as value:
            return Point(report.run_date, value.mean, value.low, value.high)
        case value:
            return Point(report.run_date, float(value))


def _written(subject: Subject, value: float | Interval | None) -> str:
    if value is None:
        return NOTHING
    return subject.form(value.mean if isinstance(value, Interval) else value)


def _panel(subject: Subject, series: list[Series]) -> Panel:
    values = value_range(series, from_zero=subject.from_zero, most=subject.most)
    days = sorted(point.day for each in series for point in each.points)
    return Panel(
        title=subject.title,
        svg=line_figure(series, values=values, form=subject.form, label=_in_words(subject, series)),
        latest=tuple((each.name, subject.form(each.points[-1].value)) for each in series),
        top=_axis_end(subject, values, values.high),
        bottom=_axis_end(subject, values, values.low),
        first_day=short_date(days[0]),
        last_day=short_date(days[-1]) if days[-1] > days[0] else "",
        beyond=_beyond(subject, series),
    )


def _beyond(subject: Subject, series: list[Series]) -> str:
    point = beyond(series) if subject.from_zero and subject.most is None else None
    return "" if point is None else f"{subject.form(point.value)} on {short_date(point.day)}"


def _axis_end(subject: Subject, values: Scale, value: float) -> str:
    return subject.form(value) if values.high > values.low else ""


def _in_words(subject: Subject, series: Sequence[Series]) -> str:
    parts = []
    for name, points in series:
        numbers = [point.value for point in points]
        nights = "1 night" if len(points) == 1 else f"{len(points)} nights"
        parts.append(
            f"{name}, {nights}: last {subject.form(numbers[-1])}, "
            f"lowest {subject.form(min(numbers))}, highest {subject.form(max(numbers))}"
        )
    return f"{subject.title}. {'; '.join(parts)}"
