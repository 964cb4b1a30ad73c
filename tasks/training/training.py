"""Fit the configured model on a night's matrices: once to be judged, once more to be registered."""

import functools
import logging
import math
import shutil
import time
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient

from data_contracts.errors import HoarfrostError
from data_contracts.manifests import MatrixManifest, TrainManifest
from data_contracts.model_config import ModelConfig
from models.rating.rating_metric import goodness
from tasks.history.row_values import all_rows, training_rows
from tasks.lake import Night
from tasks.registry.lineage import log_fitted
from tasks.registry.tracking import log_metrics, training_run
from tasks.steps import entries, read_manifest, run_step
from tasks.training.checkpoint import ResumableState, load_checkpoint, save_checkpoint
from tasks.training.device import choose_device
from tasks.training.epoch_fit import state_class
from tasks.training.fit_data import FitData, hold_out
from tasks.training.fitting import configured_epochs, fit_model, judged_fit
from tasks.training.item_content import content_inputs, night_content
from tasks.training.model_memory import refuse_large_model
from tasks.training.plugin_model import plugin_inputs
from tasks.training.saved_model import write_model
from tasks.training.validated_fit import Validated, log_epoch
from tasks.training.warm_start import warm_factors, warm_version

logger = logging.getLogger(__name__)
JUDGED, FINAL = "judged", "final"


def train_model(night: Night, matrices: MatrixManifest) -> TrainManifest:
    """Return the manifest of the judged and the final fit (its arrays as npy)."""
    config = night.config
    device = choose_device(config.training.device)
    settings = {
        "model": config.model.model_dump(),
        "training": config.training.model_dump(exclude={"where", "deployment", "timeout_seconds"}),
        "device": device,
        "seed": config.seed,
        "registry": config.mlflow.model_dump(),
        "start": warm_version(night),
    } | content_inputs(night)
    settings |= plugin_inputs(config.model)
    work = functools.partial(_train, night, matrices, device)
    return run_step(night, "train", TrainManifest, settings=settings, inputs=[matrices], work=work)


def _train(
    night: Night, matrices: MatrixManifest, device: str, staging: Path, key: str
) -> TrainManifest:
    config, started = night.config, time.monotonic()
    refuse_large_model(config.model, matrices.n_items, config.training)
    checkpoints = night.state / "checkpoints" / key[:16]
    of_ratings = config.model.validated_by == "rmse"
    with training_run(config, night.run_date, key) as run:
        _log_parameters(night, matrices, device)
        log_fitted(MlflowClient(), run.info.run_id, night, matrices)
        content = night_content(night, matrices)
        data = hold_out(
            training_rows(night, matrices), config.model, config.training,
            fold_in_share=config.evaluation.fold_in_share, seed=config.seed, content=content,
        )  # fmt: skip
        warm = warm_factors(night, matrices)
        fit = functools.partial(
            _fit, staging, seed=config.seed, device=device, run_id=run.info.run_id, warm=warm
        )
        judged = fit(
            data, checkpoints / JUDGED, config.model, n_epochs=configured_epochs(config.model),
            names=(JUDGED,) if config.training.refit else (JUDGED, FINAL),
        )  # fmt: skip
        settled = judged.settled(config.model)
        mlflow.log_params({f"chosen_{name}": value for name, value in settled.items()})
        if config.training.refit:
            everything = FitData(all_rows(night, matrices), None, content)
            fit(
                everything, checkpoints / FINAL, judged.config, n_epochs=judged.n_epochs,
                names=(FINAL,),
            )  # fmt: skip
        seconds = round(time.monotonic() - started, 2)
        manifest = TrainManifest(
            step="train", run_date=night.run_date, key=key,
            files=entries(staging, {path.name: matrices.n_items for path in staging.iterdir()}),
            mlflow_run_id=run.info.run_id, device=device, n_epochs=judged.n_epochs,
            start_version=None if warm is None else warm_version(night),
            best_validation_ndcg=0.0 if of_ratings else judged.figure or 0.0,
            best_validation_rmse=judged.figure if of_ratings else None,
            train_seconds=seconds, n_items=matrices.n_items,
        )  # fmt: skip
    shutil.rmtree(checkpoints, ignore_errors=True)
    how = f"best epoch {judged.n_epochs}" if config.model.stops_early else config.model.kind
    logger.info("train: %s, %.1f s on %s", how, seconds, device)
    return manifest


def _fit(
    staging: Path,
    data: FitData,
    checkpoint: Path,
    config: ModelConfig,
    *,
    n_epochs: int,
    names: tuple[str, ...],
    seed: int,
    device: str,
    run_id: str,
    warm: np.ndarray | None,
) -> Validated:
    """Write the fitted model under its names; return what held-out users chose and say of it."""
    best, metric = -math.inf, config.validated_by

    def on_epoch(epoch: int, metrics: dict[str, float], state: ResumableState | None) -> None:
        nonlocal best
        if metric in metrics:
            best = max(best, goodness(metrics[metric], metric))
        log_epoch(checkpoint.name, epoch, n_epochs, metrics)
        log_metrics(run_id, {f"{checkpoint.name}_{k}": v for k, v in metrics.items()}, epoch)
        if state is not None:
            save_checkpoint(checkpoint, state)  # last: an epoch done again is logged once

    kept = state_class(config)
    resume = None if kept is None else load_checkpoint(checkpoint, kept)
    if resume is not None:
        logger.info("%s: goes on after epoch %d", checkpoint.name, resume.epoch)
        best = max(best, resume.best_metric)
    model = fit_model(
        data, config, n_epochs=n_epochs, seed=seed, device=device, warm=warm,
        on_epoch=on_epoch, resume=resume,
    )  # fmt: skip
    fit = judged_fit(data, model, config)
    figure = fit.figure
    if figure is not None:
        logger.info("%s: validation %s %.5f", checkpoint.name, metric, figure)
        log_metrics(run_id, {f"validation_{metric}": figure}, fit.n_epochs)
    elif math.isfinite(best):
        figure = goodness(best, metric)
    for name in names:
        write_model(staging, name, fit.model, kind=config.kind, counts=fit.counts)
    return Validated(fit.n_epochs, figure, fit.config)


def _log_parameters(night: Night, matrices: MatrixManifest, device: str) -> None:
    config = night.config
    sizes = {"n_users": matrices.n_users, "n_items": matrices.n_items}
    mlflow.log_params(config.model.model_dump() | sizes | {"seed": config.seed, "device": device})


def finished_training(night: Night) -> TrainManifest:
    """Return the manifest that a training left in the lake.

    Raises:
        HoarfrostError: there is none.
    """
    manifest = read_manifest(night.step("train"), TrainManifest)
    if manifest is None:
        raise HoarfrostError(f"the training of {night.run_date} left no manifest in {night.folder}")
    return manifest
