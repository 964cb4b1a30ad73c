"""A comparison in Markdown: its table, what it stands on, and why a model is missing."""

from collections.abc import Iterator, Sequence

from data_contracts.comparison import ComparedModel, Comparison, Difference, Machine, ModelFit
from data_contracts.manifests import Interval
from models.rating.rating_metric import ERRORS
from tasks.report.report_number import NOTHING

_METRICS = ("ndcg@100", "ndcg@20", "recall@20", "plain_recall@20", "coverage@20")
_LEVEL = 0.05  # of a corrected probability: below, two models are told apart
_COSTS = ("fit s", "search s", "trials", "users/s", "peak MB", "model MB")
Rows = list[list[str]]


def comparison_text(comparison: Comparison, *, chart: str, level: int = 1) -> str:
    """Return a page, or a part of one, about a comparison.

    Args:
        comparison: what is told.
        chart: the figure, as a link from the page.
        level: of its title.
    """
    title, _, more = comparison.about.partition("\n")
    parts = [
        f"{'#' * level} {title}",
        more,
        *_facts(comparison),
        markdown_table(header(comparison), rows(comparison)),
    ]
    parts += [_problems(comparison.models), _choices(comparison.models)]
    parts += [f"![{comparison.metric} against cost]({chart})", _rules(comparison)]
    return "\n\n".join(part for part in parts if part) + "\n"


def header(comparison: Comparison) -> list[str]:
    """Return the names of the columns."""
    first, *rest = columns(comparison)
    against = f"minus {comparison.reference}" if comparison.reference else "difference"
    return ["model", first, against, "p", *rest, *_COSTS]


def columns(comparison: Comparison) -> list[str]:
    """Return the metrics of the table: the one it is sorted by, then the others."""
    shown = (*ERRORS, *_METRICS) if comparison.metric in ERRORS else _METRICS
    return [comparison.metric, *(name for name in shown if name != comparison.metric)]


def rows(comparison: Comparison) -> Rows:
    """Return the rows of the table as text, in their order."""
    return [list(_row(each, columns(comparison))) for each in comparison.models]


def _row(model: ComparedModel, metrics: Sequence[str]) -> Iterator[str]:
    yield model.name
    if model.fit is None:
        yield from ["no figures", *[NOTHING] * (1 + len(metrics) + len(_COSTS))]
        return
    first, *rest = metrics
    yield interval(model.metrics[first])
    yield from _difference(model.differences.get(first))
    yield from (f"{model.metrics[name].mean:.4f}" for name in rest)
    yield from _costs(model.fit, model.metrics[first].n_users or 0)


def interval(value: Interval) -> str:
    """Return a mean with its interval."""
    return f"{value.mean:.4f} [{value.low:.4f}, {value.high:.4f}]"


def _difference(value: Difference | None) -> Iterator[str]:
    if value is None:
        yield from ("reference", NOTHING)
        return
    yield f"{value.mean:+.4f} [{value.low:+.4f}, {value.high:+.4f}]"
    yield "<.001" if value.p_value < 0.001 else f"{value.p_value:.3f}"


def verdict(value: Difference | None, metric: str = "ndcg@100") -> str:
    """Return in a word whether a model is better than the reference, by some metric."""
    if value is None or value.p_value >= _LEVEL:
        return "" if value is None else "not told apart"
    return "better" if (value.mean > 0) != (metric in ERRORS) else "worse"


def _costs(fit: ModelFit, n_users: int) -> Iterator[str]:
    yield f"{fit.train_seconds:,.2f}"
    yield f"{fit.search_seconds:,.1f}"
    yield str(fit.n_trials)
    yield f"{n_users / max(fit.rank_seconds, 1e-3):,.0f}"
    yield f"{fit.peak_memory_mb:,.0f}"
    yield f"{fit.model_mb:,.0f}" if fit.model_mb >= 10 else f"{fit.model_mb:.2f}"


def markdown_table(names: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; numbers stand to the right."""
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *body]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _facts(comparison: Comparison) -> Iterator[str]:
    split, days = comparison.split, comparison.date
    yield (
        f"{days}, {machine_text(comparison.machine)}. {split.n_users:,} users judged, "
        f"{split.n_targets:,} targets ({split.n_targets_unknown:,} not in train, "
        f"{split.n_targets_seen:,} the user's own), train of {split.n_train_users:,} users, "
        f"{split.n_items:,} items, {split.n_train_pairs:,} pairs."
    )
    yield f"```\n{comparison.command}\n```"


def machine_text(machine: Machine) -> str:
    """Return what was measured on, in a line."""
    gpu = machine.gpu or "no GPU"
    cores = "1 core" if machine.n_cores == 1 else f"{machine.n_cores} cores"
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    return (
        f"{machine.processor}, {cores}, {machine.memory_gb:g} GB, {gpu}, "
        f"{machine.system} ({versions})"
    )


def _problems(models: Sequence[ComparedModel]) -> str:
    lines = [f"- {each.name}: {_cell(each.problem)}" for each in models if each.problem]
    return "\n".join(["Without figures:", "", *lines]) if lines else ""


def _choices(models: Sequence[ComparedModel]) -> str:
    lines = [f"- {each.name}: {_settings(each.fit)}" for each in models if each.fit]
    return "\n".join(["Settings, those that a search chose in bold:", "", *lines]) if lines else ""


def _settings(fit: ModelFit) -> str:
    said = [
        f"**{name} {_value(value)}**" if name in fit.searched else f"{name} {_value(value)}"
        for name, value in fit.model.items()
    ]
    return ", ".join([*said, f"epochs {fit.best_epoch}"] if fit.best_epoch else said)


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _rules(comparison: Comparison) -> str:
    return "\n".join(f"- {name}: {rule}" for name, rule in comparison.rules.items())
