"""The fit of a replayed model, as a night's training without MLflow and without a final fit."""

import functools
import time
from pathlib import Path

import numpy as np

from data_contracts.manifests import MatrixManifest, TrainManifest
from models.elsa_state import TrainingState
from tasks.device import choose_device
from tasks.fitting import fit_model, hold_out_users
from tasks.lake import Night
from tasks.logged_model import PARTS
from tasks.matrix import training_rows
from tasks.steps import entries, run_step
from tasks.validated_fit import METRIC, log_epoch
from tasks.warm_start import warm_factors, warm_version


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
    }  # fmt: skip
    work = functools.partial(_fit, night, matrices, device, seed)
    return run_step(night, "train", TrainManifest, settings=settings, inputs=[matrices], work=work)


def _fit(
    night: Night, matrices: MatrixManifest, device: str, seed: int, staging: Path, key: str
) -> TrainManifest:
    config, started, best = night.config, time.monotonic(), 0.0
    share = config.evaluation.fold_in_share
    rows = training_rows(night, matrices)
    data = hold_out_users(rows, config.training, fold_in_share=share, seed=seed)

    def on_epoch(epoch: int, metrics: dict[str, float], _state: TrainingState) -> None:
        nonlocal best
        best = max(best, metrics.get(METRIC, 0.0))
        log_epoch(f"replay of {night.run_date}", epoch, config.model.n_epochs, metrics)

    model = fit_model(
        data, config.model, n_epochs=config.model.n_epochs, seed=seed, device=device,
        warm=warm_factors(night, matrices), on_epoch=on_epoch,
    )  # fmt: skip
    arrays = (model.A, np.asarray(model.counts), np.array([model.alpha, model.beta]))
    for fit in ("judged", "final"):  # a night's final fit sees more, and nothing judges it
        for part, array in zip(PARTS, arrays, strict=True):
            np.save(staging / f"{fit}.{part}.npy", array, allow_pickle=False)
    return TrainManifest(
        step="train", run_date=night.run_date, key=key,
        files=entries(staging, {path.name: matrices.n_items for path in staging.iterdir()}),
        mlflow_run_id="", device=device, n_epochs=model.best_epoch, best_validation_ndcg=best,
        train_seconds=round(time.monotonic() - started, 2), n_items=matrices.n_items,
    )  # fmt: skip
