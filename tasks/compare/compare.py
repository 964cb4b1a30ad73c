"""Compare models on a fixed split: each in a process of its own, all on the same users."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from data_contracts.comparison import (
    ComparedModel,
    CompareJob,
    Comparison,
    Machine,
    ModelFit,
    SplitFacts,
)
from data_contracts.errors import ConfigError
from data_contracts.model_config import needs_content
from models.rating.rating_metric import ERRORS, goodness
from models.statistics.bootstrap import PerUser
from tasks.compare.compare_chart import comparison_chart
from tasks.compare.compare_entry import ALWAYS, OF_RATINGS, Entry
from tasks.compare.compare_figures import (
    CONFIDENCE,
    N_RESAMPLES,
    Differences,
    Intervals,
    best_of,
    estimate_models,
    predicts_ratings,
    read_per_user,
)
from tasks.compare.compare_machine import this_machine
from tasks.compare.compare_process import run_job
from tasks.compare.compare_text import comparison_text
from tasks.evaluating.fixed_split import read_test, read_train
from tasks.files import digest, explained, sha256_of, write_text
from tasks.lock import study_lock
from tasks.progress import track
from tasks.steps import code_version

logger = logging.getLogger(__name__)
METRICS = (
    "ndcg@100", "ndcg@20", "recall@20", "recall@50", "plain_recall@20", "plain_recall@50", *ERRORS,
)  # fmt: skip
TABLE, TEXT, CHART = "comparison.json", "comparison.md", "comparison.svg"


def compare_models(
    train: Path,
    test: Path,
    models: Sequence[Entry],
    *,
    metric: str,
    baseline: str | None,
    timeout: float | None,
    out: Path,
    about: str,
    command: str,
    today: date,
    items: Path | None = None,
) -> Comparison:
    """Return how the models rank, and leave it in a folder as JSON, Markdown and SVG.

    A model that is finished for the same files and settings is not fitted again. One that cannot
    be finished does not stop the others; the table says why.

    Args:
        train: Parquet file with user_id and item_id.
        test: the same, of what is asked; it chooses nothing.
        models: what is compared.
        metric: by which the table is sorted.
        baseline: the model that others are compared with; by default the best.
        timeout: seconds that one model may take, if any.
        out: folder of the results and of what each model leaves.
        about: the data and the split, in words.
        command: what was called, for the page.
        today: the day of the comparison.
        items: Parquet file of a catalogue, for models that learn with content of items.

    Raises:
        ConfigError: a file is missing, there is no such metric, or the baseline is not compared.
        ContractViolationError: a file is not as it must be.
        TooLittleDataError: a file is empty, or there is nobody to judge.
        LakeLockedError: another comparison writes to the folder.
    """
    _check_names([each.name for each in models], metric, baseline)
    split, machine = _split_facts(train, test), this_machine()
    with explained(out), study_lock(out / "comparison"):
        jobs = list(_jobs(train, test, models, out, split, machine, items))
        fits = _fits(jobs, out, timeout)
        done = {name: _folder(out, name) for name, fit in fits.items() if isinstance(fit, ModelFit)}
        values = read_per_user(done)
        if metric in ERRORS:
            values, fits = _with_errors(values, fits)
        reference = _reference(values, metric, baseline)
        found = estimate_models(values, reference) if reference else ({}, {})
        rows = [_row(each, fits[each.name], *found) for each in models]
        comparison = Comparison(
            about=about, date=today.isoformat(), command=command, machine=machine, split=split,
            metric=metric, reference=reference, confidence=CONFIDENCE, n_resamples=N_RESAMPLES,
            rules=_rules(baseline, reference, split), models=_sorted(rows, metric),
        )  # fmt: skip
        write_comparison(out, comparison)
    return comparison


def _with_errors(
    values: dict[str, PerUser], fits: dict[str, ModelFit | str]
) -> tuple[dict[str, PerUser], dict[str, ModelFit | str]]:
    """Leave out what has no errors of ratings, with a sentence."""
    able = {name: each for name, each in values.items() if predicts_ratings(each)}
    said = "it predicts no ratings"
    return able, fits | {name: said for name in values if name not in able}


def write_comparison(out: Path, comparison: Comparison) -> None:
    """Write the table for scripts and for people, and the figure."""
    write_text(out / CHART, comparison_chart(comparison))
    write_text(out / TEXT, comparison_text(comparison, chart=CHART))
    write_text(out / TABLE, comparison.model_dump_json(indent=2) + "\n")


def finished(comparison: Comparison) -> list[str]:
    """Return the models with figures, without those that stand in every table."""
    floor = (*ALWAYS, OF_RATINGS[0])
    return [each.name for each in comparison.models if each.fit and each.kind not in floor]


def _folder(out: Path, name: str) -> Path:
    return out / "models" / name


def _check_names(names: Sequence[str], metric: str, baseline: str | None) -> None:
    if metric not in METRICS:
        raise ConfigError(f"--metric must be one of {', '.join(METRICS)}, got {metric}")
    if baseline is not None and baseline not in names:
        raise ConfigError(f"--baseline must be one of {', '.join(names)}, got {baseline}")


def _split_facts(train: Path, test: Path) -> SplitFacts:
    rows = read_train(train)
    asked = read_test(test, rows)
    n_users, n_items = rows.X.shape
    return SplitFacts(
        train_sha256=sha256_of(train), test_sha256=sha256_of(test),
        n_train_users=n_users, n_items=n_items, n_train_pairs=rows.X.nnz,
        n_users=len(asked.user), n_users_left_out=asked.n_left_out,
        n_targets=int(asked.n_targets.sum()), n_targets_unknown=asked.n_unknown,
        n_targets_seen=asked.n_seen,
    )  # fmt: skip


def _jobs(
    train: Path,
    test: Path,
    models: Sequence[Entry],
    out: Path,
    split: SplitFacts,
    machine: Machine,
    items: Path | None,
) -> Iterator[CompareJob]:
    if items is not None and not items.is_file():
        raise ConfigError(f"--items must be a Parquet file, got {items}, which is not there")
    described = {} if items is None else {"items": sha256_of(items)}
    for name, file in models:
        more = described if needs_content(file.model) else {}
        key = digest(
            more
            | {
                "train": split.train_sha256, "test": split.test_sha256,
                "file": file.model_dump(mode="json", exclude={"tune": {"timeout_seconds"}}),
                "versions": machine.versions,
                "code": code_version(),
            }
        )  # fmt: skip
        yield CompareJob(
            name=name, train=str(train), test=str(test), storage=str(out / "searches.db"),
            file=file, key=key, items=str(items) if more else None,
        )  # fmt: skip


def _fits(
    jobs: Sequence[CompareJob], out: Path, timeout: float | None
) -> dict[str, ModelFit | str]:
    fits = {}
    for job in track(jobs, "Comparing models", total=len(jobs)):
        fits[job.name] = run_job(job, _folder(out, job.name), timeout=timeout)
        _log(job.name, fits[job.name])
    return fits


def _log(name: str, fit: ModelFit | str) -> None:
    if isinstance(fit, str):
        logger.warning("%s: no figures: %s", name, fit)
    else:
        logger.info(
            "%s: search %.1f s, fit %.1f s, lists %.1f s, peak %.0f MB",
            name, fit.search_seconds, fit.train_seconds, fit.rank_seconds, fit.peak_memory_mb,
        )  # fmt: skip


def _reference(values: Mapping[str, PerUser], metric: str, baseline: str | None) -> str | None:
    if baseline in values:
        return baseline
    return best_of(values, metric) if values else None


def _row(
    entry: Entry,
    fit: ModelFit | str,
    intervals: Mapping[str, Intervals],
    differences: Mapping[str, Differences],
) -> ComparedModel:
    return ComparedModel(
        name=entry.name, kind=entry.file.model.kind,
        problem=fit if isinstance(fit, str) else None,
        fit=None if isinstance(fit, str) else fit, metrics=intervals.get(entry.name, {}),
        differences=differences.get(entry.name, {}),
    )  # fmt: skip


def _sorted(rows: Sequence[ComparedModel], metric: str) -> tuple[ComparedModel, ...]:
    done = [each for each in rows if each.fit]
    best_first = sorted(done, key=lambda each: -goodness(each.metrics[metric].mean, metric))
    return (*best_first, *(each for each in rows if not each.fit))


def _rules(baseline: str | None, reference: str | None, split: SplitFacts) -> dict[str, str]:
    named = baseline is not None and baseline == reference
    compared = "the model that was named" if named else (
        "the best of this table: being chosen on the test users flatters its lead"
    )  # fmt: skip
    return {
        "choice": "hyper-parameters and number of epochs are chosen by nDCG@100 of users held out "
        "of train, those of models of ratings by rmse of ratings held out of it; the final fit "
        "takes all of train; the test file chooses nothing",
        "items": f"the {split.n_items:,} items of train may be listed, but for the user's own; "
        "test items not in train stay targets, as misses",
        "ratings": "rmse and mae are over all test ratings of judged users, predictions clipped to "
        "the scale; a user or an item without a rating in train gets the model's usual rating",
        "recall": "recall@k is hits / min(k, targets); plain_recall@k is hits / targets",
        "intervals": f"{CONFIDENCE:.0%} percentile intervals of {N_RESAMPLES} draws of users, "
        "the same draws for all models",
        "differences": f"user by user, to {compared}; p is two-sided, corrected by Holm over the "
        "models; with p of .05 and more two models are not told apart",
        "cost": "each model has a process of its own; fit is the final fit alone, search all that "
        "chose it; the peak is of the whole process with its packages, which are nearly all of "
        "popularity's; size is that of the model's arrays",
    }
