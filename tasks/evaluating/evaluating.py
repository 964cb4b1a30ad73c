"""Judge a model on a fixed split; what is asked in the test file never chooses anything."""

import hashlib
import logging
import math
import resource
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from data_contracts.evaluation import Evaluation, Figure, Histories
from data_contracts.model_config import ModelConfig, needs_content
from data_contracts.model_file import ModelFile
from models.fitted_model import FittedModel, topped_up
from models.metric.metric import estimate
from models.model_arrays import arrays_of
from tasks.evaluating.fixed_split import AskedRows, TrainRows, read_histories, read_test, read_train
from tasks.evaluating.rating_figures import rating_errors, rating_rule
from tasks.evaluating.tuning import prepare_search, run_search, tuned
from tasks.training.checkpoint import ResumableState
from tasks.training.device import choose_device
from tasks.training.fit_data import FitData, ItemContent, hold_out
from tasks.training.fitting import configured_epochs, fit_model
from tasks.training.item_content import file_content
from tasks.training.model_memory import refuse_large_model
from tasks.training.validated_fit import log_epoch, validated_fit

logger = logging.getLogger(__name__)
_RECALL = "recall@k is hits / min(k, targets); plain_recall@k is hits / targets"
_MASKING = "fold-in are the user's train rows; they are never listed"
_OF_HISTORIES = (
    "fold-in are the user's rows of the histories, none of whose users is in train; they are never "
    "listed; {:,} of them are of items that are not in train, and passed over"
)
_ERRORS = "standard error over the judged users; of coverage@20 by leaving out one user at a time"


class Choice(NamedTuple):
    """The model to fit on all rows, and how it was found."""

    model: ModelConfig
    n_epochs: int
    figure: float | None  # of the metric that its kind is validated by
    validation_users: int
    searched: dict[str, Any]
    n_trials: int
    study: str | None
    seconds: float

    @property
    def ndcg(self) -> float | None:
        """Validation nDCG@100, of a model that is validated by it."""
        return None if self.model.validated_by == "rmse" else self.figure

    @property
    def rmse(self) -> float | None:
        """Validation rmse, of a model of ratings."""
        return self.figure if self.model.validated_by == "rmse" else None


def evaluate_files(
    train: Path,
    test: Path,
    file: ModelFile,
    storage: Path,
    *,
    items: Path | None = None,
    histories: Path | None = None,
) -> Evaluation:
    """Return the figures of a model that is chosen and fitted on one file and judged on another.

    Args:
        train: Parquet file with user_id and item_id.
        test: the same, of what is asked.
        file: the model, and the search for its best form if there is one.
        storage: SQLite file in which the search is kept.
        items: Parquet file of a catalogue, for a model that learns with content of items.
        histories: Parquet file as train, of what the judged users had before where nobody of them
            is in train; without it they are users of train.

    Raises:
        ConfigError: a file is missing, or the settings do not fit.
        ContractViolationError: a file is not as it must be, or a history is of a user of train.
        TooLittleDataError: a file is empty, or there is nobody to judge or to validate on.
    """
    rows = read_train(train, file.model.consumes)
    shown = rows if histories is None else read_histories(histories, rows)
    asked = read_test(test, shown)  # before the fit: its faults would be found hours later
    device = choose_device(file.training.device)
    refuse_large_model(file.model, rows.X.shape[1], file.training_config)
    content = file_content(items, file.model, rows.item_ids, seed=file.seed)
    choice = choose_model(rows.X, file, storage, device=device, content=content)
    started = time.monotonic()
    data = FitData(rows.X, None, content)
    model = _fit(data, choice, seed=file.seed, device=device)
    seconds = time.monotonic() - started
    ranked = topped_up(model, np.bincount(rows.X.indices, minlength=rows.X.shape[1]))
    estimates = estimate(
        ranked, fold_in=shown.X[asked.user], target=asked.target, n_targets=asked.n_targets
    )
    estimates |= rating_errors(model, shown, asked)
    figures = {name: _figure(mean, error) for name, (mean, error) in estimates.items()}
    return _evaluation(
        figures, rows, asked, choice, None if histories is None else shown,
        seed=file.seed, device=device, train_seconds=round(seconds, 2),
        model_digest=_digest(model), more_rules=rating_rule(model, asked),
    )  # fmt: skip


def choose_model(
    X: sp.csr_array,
    file: ModelFile,
    storage: Path,
    *,
    device: str,
    content: ItemContent | None = None,
) -> Choice:
    """Return hyper-parameters and number of epochs, chosen on users, or items, held out of X.

    Raises:
        ConfigError: there is nothing to search for this kind of model.
        TooLittleDataError: a search has nobody to validate on.
    """
    started = time.monotonic()
    if file.tune is not None and file.tune.n_trials > 0:
        tuning = run_search(prepare_search(X, file, storage, device=device, content=content))
        return Choice(
            tuned(file.model, tuning.best_params), tuning.best_epoch, tuning.best_value,
            tuning.validation_users, tuning.best_params, len(tuning.trials), tuning.study,
            time.monotonic() - started,
        )  # fmt: skip
    if not file.model.stops_early:  # nothing is left to choose
        return Choice(file.model, configured_epochs(file.model), None, 0, {}, 0, None, 0.0)
    data = hold_out(
        X, file.model, file.training_config, fold_in_share=file.evaluation.fold_in_share,
        seed=file.seed, content=content,
    )  # fmt: skip
    if not data.n_judges:
        logger.warning("nobody can be held out of %d users: all epochs are run", X.shape[0])
        return Choice(file.model, configured_epochs(file.model), None, 0, {}, 0, None, 0.0)
    best = validated_fit(data, file.model, seed=file.seed, device=device, label="validation")
    seconds = time.monotonic() - started
    return Choice(best.config, best.n_epochs, best.figure, data.n_judges, {}, 0, None, seconds)


def _fit(data: FitData, choice: Choice, *, seed: int, device: str) -> FittedModel:
    def on_epoch(epoch: int, metrics: dict[str, float], _state: ResumableState | None) -> None:
        log_epoch("all rows", epoch, choice.n_epochs, metrics)

    return fit_model(
        data, choice.model, n_epochs=choice.n_epochs, seed=seed, device=device,
        on_epoch=on_epoch,
    )  # fmt: skip


def _evaluation(
    figures: dict[str, Figure],
    rows: TrainRows,
    asked: AskedRows,
    choice: Choice,
    histories: TrainRows | None,
    more_rules: dict[str, str],
    **facts: Any,
) -> Evaluation:
    n_users, n_items = rows.X.shape
    return Evaluation(
        metrics=figures, rules=_rules(n_items, choice, histories) | more_rules,
        n_users=len(asked.user), n_users_left_out=asked.n_left_out,
        n_train_users=n_users, n_items=n_items, n_train_pairs=rows.X.nnz,
        n_targets=int(asked.n_targets.sum()), n_targets_unknown=asked.n_unknown,
        n_targets_seen=asked.n_seen, n_duplicates_train=rows.n_duplicates,
        n_duplicates_test=asked.n_duplicates, model=choice.model.model_dump(),
        searched=choice.searched, n_trials=choice.n_trials, study=choice.study,
        best_epoch=choice.n_epochs, validation_users=choice.validation_users,
        validation_ndcg=choice.ndcg, validation_rmse=choice.rmse,
        search_seconds=round(choice.seconds, 2),
        peak_memory_mb=_peak_memory_mb(), histories=_told(histories), **facts,
    )  # fmt: skip


def _told(histories: TrainRows | None) -> Histories | None:
    if histories is None:
        return None
    return Histories(
        n_users=len(histories.user_ids), n_pairs=histories.X.nnz, n_unknown=histories.n_unknown,
        n_duplicates=histories.n_duplicates,
    )  # fmt: skip


def _rules(n_items: int, choice: Choice, histories: TrainRows | None) -> dict[str, str]:
    return {
        "recall": _RECALL,
        "items": f"the {n_items} items of train; test items not in train stay targets, as misses",
        "masking": _MASKING if histories is None else _OF_HISTORIES.format(histories.n_unknown),
        "choice": f"{_chosen(choice)}; the final fit takes all rows of train",
        "errors": _ERRORS,
    }


def _chosen(choice: Choice) -> str:
    """Say in words who chose what."""
    searched, epochs = bool(choice.searched), choice.model.stops_early
    if not searched and not epochs:
        return "nothing was chosen, the model stands as it is configured"
    if choice.validation_users:
        stop = "users who are asked for items" if needs_content(choice.model) else "users"
        chosen = f"nDCG@100 of {choice.validation_users} {stop} held out of train chose"
        if choice.model.validated_by == "rmse":
            chosen = f"rmse of ratings of {choice.validation_users} users held out of train chose"
    else:
        chosen = "nobody could be held out of train; the configuration gives"
    what = ["hyper-parameters"] * searched + ["number of epochs"] * epochs
    return f"{chosen} {'the ' * (not searched)}{' and '.join(what)}"


def _figure(mean: float, error: float) -> Figure:
    return Figure(mean=mean, standard_error=None if math.isnan(error) else error)


def _digest(model: FittedModel) -> str:
    form, arrays, parameters = arrays_of(model)
    digester = hashlib.sha256(f"{form} {sorted(parameters.items())}".encode())
    for array in arrays.values():
        digester.update(np.ascontiguousarray(array).tobytes())
    return digester.hexdigest()[:16]


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
