"""Configuration turned into a fit: which rows teach, which users stop it early."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

from data_contracts.config import TrainingConfig
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
    SANSAConfig,
)
from models.ease import fit_ease
from models.edlae import fit_edlae
from models.elsa import ELSA, fit_elsa, usual_batch_size, usual_rank
from models.elsa_form import ELSAForm
from models.elsa_state import TrainingState
from models.factor_baseline import fit_bpr, fit_ials
from models.fitted_model import FittedModel, topped_up
from models.fold_in import fold_in_split
from models.item_knn import fit_item_knn
from models.metric import evaluate
from models.mrf import fit_mrf
from models.popularity import Popularity
from models.random_model import RandomModel
from models.sansa import fit_sansa

logger = logging.getLogger(__name__)
OnEpoch = Callable[[int, dict[str, float], TrainingState], None]


class FitData(NamedTuple):
    """Rows to fit, and held-out users as (fold-in, target) for early stopping."""

    X: sp.csr_array
    validation: tuple[sp.csr_array, sp.csr_array] | None


def hold_out_users(
    X: sp.csr_array, training: TrainingConfig, *, fold_in_share: float, seed: int
) -> FitData:
    """Return the rows to fit and the users held out for early stopping, none if X is tiny.

    Held-out users that count as known leave what is shown of them among the rows to fit.
    """
    candidates = np.flatnonzero(np.diff(X.indptr) > 1)
    n_held_out = min(
        training.max_validation_users, int(training.validation_share * len(candidates))
    )
    if n_held_out < 1:
        return FitData(X, None)
    rng = np.random.default_rng(seed)
    held_out = np.sort(rng.choice(candidates, n_held_out, replace=False))
    kept = np.setdiff1d(np.arange(X.shape[0]), held_out)
    validation = fold_in_split(X[held_out], target_share=1.0 - fold_in_share, seed=seed)
    if training.validation_users == "unseen":
        return FitData(X[kept], validation)
    rows = sp.csr_array(sp.vstack([X[kept], validation[0]], format="csr"))
    return FitData(rows, validation)


class Fit(NamedTuple):
    """A fitted model and how it came about."""

    model: FittedModel
    counts: np.ndarray  # (n_items,) users who had the item
    n_epochs: int  # of the best epoch, or all that were run; 0 for a closed form
    ndcg: float | None  # validation nDCG@100, if anybody was held out


def fit_model(
    data: FitData,
    config: ModelConfig,
    *,
    n_epochs: int,
    seed: int,
    device: str,
    warm: np.ndarray | None = None,
    on_epoch: OnEpoch | None = None,
    resume: TrainingState | None = None,
) -> FittedModel:
    """Turn configuration into arguments; nothing else does.

    Args:
        data: what to learn from, and what to stop by.
        config: the model.
        n_epochs: most passes of a model that stops early; other kinds follow their configuration.
        seed: of all that is random.
        device: torch device.
        warm: factors of an earlier ELSA over these items, zero rows where an item is new.
        on_epoch: called after every epoch of a model that stops early.
        resume: where to go on, likewise.

    Raises:
        ConfigError: the kind needs a package that is not installed.
    """
    if not isinstance(config, ELSAConfig):
        return _fit_at_once(data.X, config, seed=seed, device=device)
    return fit_elsa(
        data.X,
        n_factors=config.n_factors or usual_rank(*data.X.shape),
        n_epochs=n_epochs,
        batch_size=config.batch_size or usual_batch_size(data.X.shape[0]),
        learning_rate=config.learning_rate,
        alpha=config.alpha,
        beta=config.beta,
        start="xavier" if config.start == "warm" else config.start,
        warm=warm,
        form=ELSAForm(
            output=config.output,
            loss=config.loss,
            gamma=config.gamma,
            max_output=config.max_output,
            step=config.step,
            products=config.products,
        ),
        patience=config.patience,
        validation=data.validation,
        seed=seed,
        device=device,
        on_epoch=on_epoch,
        resume=resume,
    )


def judged_fit(data: FitData, model: FittedModel, config: ModelConfig) -> Fit:
    """Return a fitted model with its counts, its epochs and what held-out users say of it.

    A model that stops early was judged epoch by epoch already: it has no figure here.
    """
    if isinstance(model, ELSA):
        return Fit(model, np.asarray(model.counts), model.best_epoch, None)
    counts = np.bincount(data.X.indices, minlength=data.X.shape[1])
    ndcg = None
    if data.validation is not None:
        fold_in, target = data.validation
        ranked = topped_up(model, counts)
        values = evaluate(ranked, fold_in=fold_in, target=target, eligible=counts > 0)
        ndcg = float(values["ndcg@100"].mean())
    return Fit(model, counts, configured_epochs(config), ndcg)


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
