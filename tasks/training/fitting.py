"""Configuration turned into a fit, and what held-out users say of it."""

import logging
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

from data_contracts.errors import ConfigError
from data_contracts.model_config import (
    BPRConfig,
    EASEConfig,
    EDLAEConfig,
    ELSAConfig,
    IALSConfig,
    ItemKNNConfig,
    ModelConfig,
    MRFConfig,
    PopularityConfig,
    RandomConfig,
    RatingBiasConfig,
    RatingMeanConfig,
    SANSAConfig,
)
from models.elsa.elsa import ELSA
from models.factors.factor_baseline import fit_bpr, fit_ials
from models.fitted_model import FittedModel, topped_up
from models.item_item.ease import fit_ease
from models.item_item.edlae import fit_edlae
from models.item_item.item_knn import fit_item_knn
from models.item_item.mrf import fit_mrf
from models.item_item.sansa import fit_sansa
from models.metric.metric import evaluate
from models.popularity import Popularity
from models.random_model import RandomModel
from models.rating.rating_bias import fit_rating_bias, fit_rating_mean
from models.rating.rating_model import RatingModel, rating_figures
from tasks.training.checkpoint import ResumableState
from tasks.training.epoch_fit import EpochFit, OnEpoch, fit_by_epochs
from tasks.training.fit_data import FitData

logger = logging.getLogger(__name__)


class Fit(NamedTuple):
    """A fitted model and how it came about."""

    model: FittedModel
    counts: np.ndarray  # (n_items,) users who had the item
    n_epochs: int  # of the best epoch, or all that were run; 0 for a closed form
    figure: float | None  # its kind's validation metric, if anything was held out
    config: ModelConfig  # with what was chosen in the fit: a refit takes it as it is


def fit_model(
    data: FitData,
    config: ModelConfig,
    *,
    n_epochs: int,
    seed: int,
    device: str,
    warm: np.ndarray | None = None,
    on_epoch: OnEpoch | None = None,
    resume: ResumableState | None = None,
) -> FittedModel:
    """Turn configuration into arguments; nothing else does.

    Args:
        data: what to learn from, and what to stop by.
        config: the model.
        n_epochs: most passes of a model that stops early; other kinds follow their configuration.
        seed: of all that is random.
        device: torch device.
        warm: factors of an earlier ELSA over these items, zero rows where an item is new.
        on_epoch: called after every epoch of a model that stops early, see EpochFit.
        resume: the state that on_epoch was given, where to go on.

    Raises:
        ConfigError: the kind needs a package that is not installed.
    """
    if not config.stops_early:
        return _fit_at_once(data.X, config, seed=seed, device=device)
    how = EpochFit(n_epochs, seed, device, warm, on_epoch, resume)
    return fit_by_epochs(data, config, how)


def judged_fit(data: FitData, model: FittedModel, config: ModelConfig) -> Fit:
    """Return a fitted model with its counts, its epochs and what was held out says of it.

    A model that stops early was judged epoch by epoch already: it has no figure here, unless
    something was added to it after the last one.
    """
    counts = np.bincount(data.X.indices, minlength=data.X.shape[1])
    if config.stops_early:
        own = getattr(model, "counts", None)  # an explicit 0 is nothing that a model learns from
        best_epoch = getattr(model, "best_epoch", configured_epochs(config))
        figure = None
        if isinstance(config, ELSAConfig) and isinstance(model, ELSA) and model.W is not None:
            figure = _figure(data, model, counts)
            config = config.model_copy(update={"l2": model.l2})
        return Fit(model, counts if own is None else np.asarray(own), best_epoch, figure, config)
    return Fit(model, counts, configured_epochs(config), _figure(data, model, counts), config)


def _figure(data: FitData, model: FittedModel, counts: np.ndarray) -> float | None:
    if isinstance(model, RatingModel):
        judge = rating_figures(data.validation)
        return None if judge is None else judge(model)["rmse"]
    if data.validation is None:
        return None
    fold_in, target = data.validation
    ranked = topped_up(model, counts)
    values = evaluate(ranked, fold_in=fold_in, target=target, eligible=counts > 0)
    return float(values["ndcg@100"].mean())


def configured_epochs(config: ModelConfig) -> int:
    """Return the passes that a model is configured for, 0 for a closed form."""
    return int(getattr(config, "n_epochs", 0))


def _fit_at_once(X: sp.csr_array, config: ModelConfig, *, seed: int, device: str) -> FittedModel:
    try:
        return _fit_factors(X, config, seed=seed) or _fit_weights(X, config, device=device)
    except ImportError as error:
        raise ConfigError(str(error)) from error
    except torch.OutOfMemoryError:
        logger.warning("%s does not fit into the memory of %s: fitted on cpu", config.kind, device)
        return _fit_weights(X, config, device="cpu")


def _fit_factors(X: sp.csr_array, config: ModelConfig, *, seed: int) -> FittedModel | None:
    match config:
        case IALSConfig():
            return fit_ials(X, seed=seed, **_given(config))
        case BPRConfig():
            return fit_bpr(X, seed=seed, **_given(config))
        case PopularityConfig():
            return Popularity(np.bincount(X.indices, minlength=X.shape[1]))
        case RandomConfig():
            return RandomModel(X.shape[1], seed)
        case RatingMeanConfig():
            return fit_rating_mean(X)
        case RatingBiasConfig():
            return fit_rating_bias(X, **_given(config))
        case _:
            return None


def _fit_weights(X: sp.csr_array, config: ModelConfig, *, device: str) -> FittedModel:
    match config:
        case EASEConfig():
            return fit_ease(X, device=device, **_given(config))
        case MRFConfig():
            return fit_mrf(X, device=device, **_given(config))
        case EDLAEConfig():
            return fit_edlae(X, device=device, **_given(config))
        case SANSAConfig():
            density = config.density or usual_density(X.shape[1])
            return fit_sansa(X, **_given(config) | {"density": density})
        case ItemKNNConfig():
            return fit_item_knn(X, **_given(config))
        case _:
            raise TypeError(f"kind must have a fit, got {config.kind}")


def usual_density(n_items: int) -> float:
    """Return the density that gives each factor of SANSA a hundred nonzeros per item."""
    return min(1.0, 100.0 / n_items)


def _given(config: ModelConfig) -> dict[str, Any]:
    return config.model_dump(exclude={"kind"})
