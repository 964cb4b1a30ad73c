"""Search the hyper-parameters of a model on users held out of its training rows.

A search is a study in SQLite, named after everything its figures depend on. A later call
goes on in it; the sampler of a trial is seeded by its place in the search, so that the
same trials come out whether or not the search was interrupted.
"""

import functools
import hashlib
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import scipy.sparse as sp
import torch
from optuna.exceptions import OptunaError
from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from data_contracts.config import NightlyConfig
from data_contracts.errors import ConfigError, HoarfrostError, TooLittleDataError
from data_contracts.model_config import ModelConfig
from data_contracts.model_file import ModelFile, model_file_text
from data_contracts.tuning import Choices, Parameter, Space, TuneConfig, takes_integers
from data_contracts.tuning_result import Trial, Tuning
from models.rating.rating_metric import ERRORS, goodness
from tasks.evaluating.search_log import SearchLog
from tasks.files import digest
from tasks.lock import study_lock
from tasks.steps import code_version
from tasks.training.fit_data import FitData, ItemContent, hold_out
from tasks.training.model_memory import refuse_large_model
from tasks.training.validated_fit import validated_fit

logger = logging.getLogger(__name__)
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)
_GIVEN_UP = (ArithmeticError, ValidationError, MemoryError, torch.OutOfMemoryError)


@dataclass(frozen=True)
class Search:
    """One search: on what, around which model, where it is kept."""

    data: FitData
    file: ModelFile
    tune: TuneConfig
    name: str
    storage: Path
    device: str

    @property
    def metric(self) -> str:
        """By which trials are judged."""
        return self.file.model.validated_by

    @property
    def space(self) -> Space:
        """What is tried."""
        return self.tune.space[self.file.model.kind]


def prepare_search(
    X: sp.csr_array,
    file: ModelFile,
    storage: Path,
    *,
    device: str,
    content: ItemContent | None = None,
) -> Search:
    """Return the search that a model file asks for on training rows.

    Raises:
        ConfigError: there is nothing to search for this kind of model.
        TooLittleDataError: nobody can be held out of the fit.
    """
    tune, kind = file.tune or TuneConfig(), file.model.kind
    if not tune.space.get(kind):
        raise ConfigError(f"tune.space must say what to try for the model: add [tune.space.{kind}]")
    refuse_large_model(file.model, X.shape[1], file.training_config)
    data = hold_out(
        X, file.model, file.training_config, fold_in_share=file.evaluation.fold_in_share,
        seed=file.seed, content=content,
    )  # fmt: skip
    if not data.n_judges:
        raise TooLittleDataError(
            f"a search needs users to validate on: {X.shape[0]} users and training."
            f"validation_share {file.training.validation_share} leave none; give it more of either"
        )
    settings = {
        "data": _digest(X) if content is None else _digest(X, content.rows),
        "model": file.model.model_dump(),
        "training": file.training.model_dump(exclude={"device"}),
        "evaluation": file.evaluation.model_dump(),
        "seed": file.seed,
        "space": {name: each.model_dump() for name, each in tune.space[kind].items()},
        "code": code_version(),
    }
    return Search(data, file, tune, f"{kind}-{digest(settings)[:16]}", storage, device)


def _digest(X: sp.csr_array, *more: np.ndarray) -> str:
    digester = hashlib.sha256(str(X.shape).encode())
    for array in (X.indptr.astype("int64"), X.indices.astype("int64"), X.data, *more):
        digester.update(array.tobytes())
    return digester.hexdigest()


def run_search(search: Search, mlflow: NightlyConfig | None = None) -> Tuning:
    """Return the best of all trials, running those that are still to run.

    Args:
        search: what prepare_search returned.
        mlflow: names the MLflow where trials are logged, if any.

    Raises:
        HoarfrostError: no trial could be finished.
        LakeLockedError: another process works on the same store.
    """
    started = time.monotonic()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with study_lock(search.storage):
        study = _study(search)
        log = SearchLog(mlflow, search.name)
        for left in study.get_trials(states=(TrialState.RUNNING,)):  # by a kill: the lock is ours
            study.tell(left.number, state=TrialState.FAIL)
            log.killed(left.user_attrs.get("mlflow_run_id"))
        n_before = n_done = len(_done(study))
        while n_done < search.tune.n_trials and not _is_over(search.tune, started):
            _enqueue_configured(study, search)
            study.sampler = optuna.samplers.TPESampler(seed=search.file.seed + n_done)
            objective = functools.partial(_objective, search=search, log=log, number=n_done + 1)
            study.optimize(objective, n_trials=1)
            n_done = len(_done(study))
        tuning = _result(study, search, n_done - n_before, time.monotonic() - started)
        log.finish(tuning.best_value, tuning.best_params)
    return tuning


def _study(search: Search) -> optuna.Study:
    try:
        return optuna.create_study(
            storage=f"sqlite:///{search.storage}",
            study_name=search.name,
            direction="minimize" if search.metric in ERRORS else "maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
        )
    except (SQLAlchemyError, OptunaError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{search.storage} must be a store of searches: {reason}") from error


def _is_over(tune: TuneConfig, started: float) -> bool:
    limit = tune.timeout_seconds
    return limit is not None and time.monotonic() - started >= limit


def _done(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=_DONE)


def _enqueue_configured(study: optuna.Study, search: Search) -> None:
    states = (*_DONE, TrialState.WAITING)
    if any(_is_configured(trial) for trial in study.get_trials(deepcopy=False, states=states)):
        return
    model = search.file.model.model_dump()
    params = {name: model[name] for name, each in search.space.items() if _holds(each, model[name])}
    study.enqueue_trial(params, user_attrs={"configured": True})


def _is_configured(trial: FrozenTrial | optuna.Trial) -> bool:
    return bool(trial.user_attrs.get("configured"))


def _holds(parameter: Parameter, value: Any) -> bool:
    if isinstance(parameter, Choices):
        return value in parameter.choices
    if value is None or not parameter.low <= value <= parameter.high:
        return False
    steps = (value - parameter.low) / parameter.step if parameter.step else 0.0
    return abs(steps - round(steps)) < 1e-9


def _objective(trial: optuna.Trial, *, search: Search, log: SearchLog, number: int) -> float:
    params = _suggest(trial, search)
    trial.set_user_attr("params", params)
    with log.trial(number, params) as run_id:
        trial.set_user_attr("mlflow_run_id", run_id)

        def on_metrics(epoch: int, metrics: dict[str, float]) -> None:
            log.epoch(run_id, epoch, metrics)
            trial.set_user_attr("epochs", epoch)
            trial.report(metrics[search.metric], epoch)
            if trial.should_prune() and not _is_configured(trial):
                raise optuna.TrialPruned

        try:
            model = search.file.model.model_validate(search.file.model.model_dump() | params)
            best = validated_fit(
                search.data, model, seed=search.file.seed, device=search.device,
                label=f"trial {number} of {search.tune.n_trials}", on_metrics=on_metrics,
            )  # fmt: skip
        except _GIVEN_UP as error:
            trial.set_user_attr("problem", str(error).splitlines()[0])
            logger.warning("trial %d is given up: %s", number, error)
            raise optuna.TrialPruned from error
        if best.figure is not None:
            log.epoch(run_id, best.n_epochs, {f"validation_{search.metric}": best.figure})
        settled = best.settled(model)
        log.settled(run_id, settled)
    trial.set_user_attr("params", params | settled)
    trial.set_user_attr("best_epoch", best.n_epochs)
    if best.figure is None:
        return math.inf if search.metric in ERRORS else 0.0
    return best.figure


def _suggest(trial: optuna.Trial, search: Search) -> dict[str, Any]:
    model = search.file.model
    configured, given = _is_configured(trial), model.model_dump()
    return {
        name: given[name]  # Optuna could not represent it
        if configured and not _holds(parameter, given[name])
        else _draw(trial, name, parameter, whole=takes_integers(type(model), name))
        for name, parameter in search.space.items()
    }


def _draw(trial: optuna.Trial, name: str, parameter: Parameter, *, whole: bool) -> Any:
    if isinstance(parameter, Choices):
        return trial.suggest_categorical(name, parameter.choices)
    low, high, step = parameter.low, parameter.high, parameter.step
    if whole:
        return trial.suggest_int(name, int(low), int(high), step=int(step or 1), log=parameter.log)
    return trial.suggest_float(name, low, high, step=step, log=parameter.log)


def _result(study: optuna.Study, search: Search, n_new: int, seconds: float) -> Tuning:
    trials = tuple(_trial(number, each) for number, each in enumerate(_done(study), start=1))
    finished = [trial for trial in trials if trial.value is not None]
    if not finished:
        raise HoarfrostError(
            f"no trial of {len(trials)} could be finished: allow more of them (n_trials, "
            "timeout_seconds), or smaller models and learning rates"
        )
    best = max(finished, key=lambda trial: goodness(trial.value or 0.0, search.metric))
    configured = next((trial.value for trial in trials if trial.configured), None)
    return Tuning(
        study=search.name, storage=str(search.storage), kind=search.file.model.kind,
        metric=search.metric,
        validation_users=search.data.n_judges, n_new_trials=n_new,
        configured_value=configured, best_value=best.value or 0.0, best_epoch=best.best_epoch or 0,
        best_params=best.params, seconds=round(seconds, 2), device=search.device, trials=trials,
        model_file=model_file_text(
            search.file.model_copy(update={"model": tuned(search.file.model, best.params)})
        ), out=None,
    )  # fmt: skip


def _trial(number: int, trial: FrozenTrial) -> Trial:
    known, complete = trial.user_attrs, trial.state == TrialState.COMPLETE
    return Trial(
        number=number, state="complete" if complete else "pruned",
        value=trial.value if complete else None, best_epoch=known.get("best_epoch"),
        epochs=known.get("epochs", 0), configured=_is_configured(trial),
        seconds=round(trial.duration.total_seconds(), 2) if trial.duration else 0.0,
        params=known["params"], problem=known.get("problem"),
    )  # fmt: skip


def tuned(model: ModelConfig, params: Mapping[str, Any]) -> ModelConfig:
    """Return a model with the keys that a search found."""
    return model.model_validate(model.model_dump() | dict(params))
