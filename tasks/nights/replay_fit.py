"""The fit of a replayed model, as a night's training without MLflow and without a final fit."""

import functools
import math
import time
from pathlib import Path

from data_contracts.manifests import MatrixManifest, TrainManifest
from models.rating.rating_metric import goodness
from tasks.history.row_values import training_rows
from tasks.lake import Night
from tasks.steps import entries, run_step
from tasks.training.checkpoint import ResumableState
from tasks.training.device import choose_device
from tasks.training.fit_data import hold_out
from tasks.training.fitting import configured_epochs, fit_model, judged_fit
from tasks.training.item_content import content_inputs, night_content
from tasks.training.model_memory import refuse_large_model
from tasks.training.saved_model import write_model
from tasks.training.validated_fit import log_epoch
from tasks.training.warm_start import warm_factors, warm_version


def fit_replayed(night: Night, matrices: MatrixManifest, seed: int) -> TrainManifest:
    """Return the manifest of the fit that is judged; MLflow hears nothing of it.

    Args:
        night: on the lake of replays, with the replayed model in its configuration.
        matrices: of the night.
        seed: of all that is random in the fit; the judged users do not follow from it.
    """
    device = choose_device(night.config.training.device)
    settings = {
        "model": night.config.model.model_dump(mode="json"),
        "training": night.config.training.model_dump(mode="json"),
        "seed": seed, "device": device, "start": warm_version(night),
        **content_inputs(night),
    }  # fmt: skip
    work = functools.partial(_fit, night, matrices, device, seed)
    return run_step(night, "train", TrainManifest, settings=settings, inputs=[matrices], work=work)


def _fit(
    night: Night, matrices: MatrixManifest, device: str, seed: int, staging: Path, key: str
) -> TrainManifest:
    config, started = night.config, time.monotonic()
    metric = config.model.validated_by
    best = goodness(math.inf, metric) if metric == "rmse" else 0.0
    share = config.evaluation.fold_in_share
    refuse_large_model(config.model, matrices.n_items, config.training)
    n_epochs = configured_epochs(config.model)
    rows = training_rows(night, matrices)
    data = hold_out(
        rows, config.model, config.training, fold_in_share=share, seed=seed,
        content=night_content(night, matrices),
    )  # fmt: skip

    def on_epoch(epoch: int, metrics: dict[str, float], _state: ResumableState | None) -> None:
        nonlocal best
        if metric in metrics:
            best = max(best, goodness(metrics[metric], metric))
        log_epoch(f"replay of {night.run_date}", epoch, n_epochs, metrics)

    model = fit_model(
        data, config.model, n_epochs=n_epochs, seed=seed, device=device,
        warm=warm_factors(night, matrices), on_epoch=on_epoch,
    )  # fmt: skip
    fit = judged_fit(data, model, config.model)
    best = goodness(best, metric) if fit.figure is None else fit.figure
    of_ratings = metric == "rmse"
    for name in ("judged", "final"):  # a night's final fit sees more, and nothing judges it
        write_model(staging, name, model, kind=config.model.kind, counts=fit.counts)
    return TrainManifest(
        step="train", run_date=night.run_date, key=key,
        files=entries(staging, {path.name: matrices.n_items for path in staging.iterdir()}),
        mlflow_run_id="", device=device, n_epochs=fit.n_epochs,
        best_validation_ndcg=0.0 if of_ratings else best,
        best_validation_rmse=best if of_ratings and math.isfinite(best) else None,
        train_seconds=round(time.monotonic() - started, 2), n_items=matrices.n_items,
    )  # fmt: skip
