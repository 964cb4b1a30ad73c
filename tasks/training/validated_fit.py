"""A fit that held-out users stop: which epoch was best, and how good."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from data_contracts.model_config import ModelConfig
from models.rating.rating_metric import goodness
from tasks.training.checkpoint import ResumableState
from tasks.training.fit_data import FitData
from tasks.training.fitting import configured_epochs, fit_model, judged_fit

logger = logging.getLogger(__name__)
OnMetrics = Callable[[int, dict[str, float]], None]


class Validated(NamedTuple):
    """What held-out users chose, and how good it is.

    The figure is that of the whole model, with what was added to it after the epochs.
    """

    n_epochs: int  # the best, the last one without validation; 0 for a closed form
    figure: float | None  # of the metric that its kind is validated by
    config: ModelConfig  # with what the fit chose of it

    def settled(self, given: ModelConfig) -> dict[str, Any]:
        """Return what the fit chose of the configuration that it was given, by key."""
        before = given.model_dump()
        return {k: v for k, v in self.config.model_dump().items() if v != before[k]}


def validated_fit(
    data: FitData,
    config: ModelConfig,
    *,
    seed: int,
    device: str,
    label: str,
    on_metrics: OnMetrics | None = None,
) -> Validated:
    """Fit a model and return its best epoch, or all of them if it does not stop early.

    Args:
        data: rows to fit, and the users that stop the fit.
        config: the model.
        seed: of all that is random.
        device: torch device.
        label: begins every log line.
        on_metrics: called after every epoch with its number and figures; what it raises ends
            the fit. Once, with number 0, for a model that does not stop early.
    """
    best, n_epochs, data = Validated(0, None, config), configured_epochs(config), data.searched
    metric = config.validated_by

    def on_epoch(epoch: int, metrics: dict[str, float], _state: ResumableState | None) -> None:
        nonlocal best
        log_epoch(label, epoch, n_epochs, metrics)
        figure = metrics.get(metric)
        if figure is None or best.figure is None or (
            goodness(figure, metric) > goodness(best.figure, metric)
        ):  # fmt: skip
            best = Validated(epoch, figure, config)
        if on_metrics is not None:
            on_metrics(epoch, metrics)

    model = fit_model(data, config, n_epochs=n_epochs, seed=seed, device=device, on_epoch=on_epoch)
    fit = judged_fit(data, model, config)
    if fit.figure is not None:
        logger.info("%s: %s %.5f", label, metric, fit.figure)
    if not config.stops_early:
        if fit.figure is not None and on_metrics is not None:
            on_metrics(0, {metric: fit.figure})
        return Validated(fit.n_epochs, fit.figure, fit.config)
    if data.n_judges and best.n_epochs == n_epochs:
        logger.info("%s: the last epoch was best: more of them (n_epochs) may be better", label)
    return best if fit.figure is None else Validated(best.n_epochs, fit.figure, fit.config)


def log_epoch(label: str, epoch: int, n_epochs: int, metrics: dict[str, float]) -> None:
    """Write one line per epoch, as the nights do."""
    figures = ", ".join(f"{name} {value:.5f}" for name, value in metrics.items())
    logger.info("%s: epoch %d of %d, %s", label, epoch, n_epochs, figures)
