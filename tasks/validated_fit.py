"""A fit that held-out users stop: which epoch was best, and how good."""

import logging
from collections.abc import Callable
from typing import NamedTuple

from data_contracts.config import ModelConfig
from models.elsa_state import TrainingState
from tasks.fitting import FitData, fit_model

logger = logging.getLogger(__name__)
METRIC = "ndcg@100"
OnMetrics = Callable[[int, dict[str, float]], None]


class BestEpoch(NamedTuple):
    """The epoch with the best validation nDCG@100, the last one without validation."""

    n_epochs: int
    ndcg: float | None


def find_best_epoch(
    data: FitData,
    config: ModelConfig,
    *,
    seed: int,
    device: str,
    label: str,
    on_metrics: OnMetrics | None = None,
) -> BestEpoch:
    """Fit a model and return its best epoch.

    Args:
        data: rows to fit, and the users that stop the fit.
        config: the model.
        seed: of all that is random.
        device: torch device.
        label: begins every log line.
        on_metrics: called after every epoch with its number and figures; what it raises ends
            the fit.
    """
    best = BestEpoch(0, None)

    def on_epoch(epoch: int, metrics: dict[str, float], _state: TrainingState) -> None:
        nonlocal best
        log_epoch(label, epoch, config.n_epochs, metrics)
        ndcg = metrics.get(METRIC)
        if ndcg is None or best.ndcg is None or ndcg > best.ndcg:
            best = BestEpoch(epoch, ndcg)
        if on_metrics is not None:
            on_metrics(epoch, metrics)

    fit_model(data, config, n_epochs=config.n_epochs, seed=seed, device=device, on_epoch=on_epoch)
    if data.validation is not None and best.n_epochs == config.n_epochs:
        logger.info("%s: the last epoch was best: more of them (n_epochs) may be better", label)
    return best


def log_epoch(label: str, epoch: int, n_epochs: int, metrics: dict[str, float]) -> None:
    """Write one line per epoch, as the nights do."""
    figures = ", ".join(f"{name} {value:.5f}" for name, value in metrics.items())
    logger.info("%s: epoch %d of %d, %s", label, epoch, n_epochs, figures)
