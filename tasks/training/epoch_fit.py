"""Fits of the kinds that are trained by epochs which held-out users judge."""

import functools
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from data_contracts.embedding_config import PairConfig, SVAEConfig
from data_contracts.model_config import (
    CompressedELSAConfig,
    ContentELSAConfig,
    ELSAConfig,
    ModelConfig,
)
from data_contracts.network_config import (
    CDAEConfig,
    MultDAEConfig,
    MultVAEConfig,
    NetworkConfig,
)
from data_contracts.rating_config import (
    CombinedAutoencoderConfig,
    RatingConfig,
    RatingNetworkConfig,
)
from models.elsa.compressed_elsa import CompressedELSA, fit_compressed_elsa, kept_entries
from models.elsa.compressed_elsa_engine import Kept
from models.elsa.elsa import ELSA, fit_elsa, usual_batch_size, usual_rank
from models.elsa.elsa_content import ContentELSA, fit_elsa_content
from models.elsa.elsa_form import ELSAForm
from models.elsa.elsa_residual import with_residual
from models.elsa.elsa_state import TrainingState
from models.fitted_model import FittedModel
from models.network.autoencoder import Autoencoder
from models.network.cdae import fit_cdae
from models.network.multdae import fit_multdae
from models.network.multvae import fit_multvae, usual_anneal_steps
from models.network.network_state import NetworkState
from tasks.training.checkpoint import ResumableState
from tasks.training.embedding_fit import fit_ordered, fit_pair_network
from tasks.training.fit_data import FitData
from tasks.training.rating_fit import fit_rating_model

logger = logging.getLogger(__name__)
MOST_USERS_A_STEP = 500  # of a network: as in the papers
L2_TRIED = (100.0, 10.0, 30.0, 300.0, 1000.0)
"""Of ELSA's weights among neighbours; the first where nobody is held out."""
_TOLD = ("cosine", "ndcg@100")
OnEpoch = Callable[[int, dict[str, float], ResumableState | None], None]


class EpochFit(NamedTuple):
    """How a fit by epochs is run, besides what the configuration of its kind says.

    Called after an epoch, on_epoch gets its number (from 1, or 0 for a start that was judged), its
    figures, and the state to go on from; None where a kind has no such state, so that a killed
    fit begins anew.
    """

    n_epochs: int  # most passes
    seed: int
    device: str
    warm: np.ndarray | None = None  # factors of an earlier ELSA over these items
    on_epoch: OnEpoch | None = None
    resume: ResumableState | None = None


def state_class(config: ModelConfig) -> type[ResumableState] | None:
    """Return the class of the state that a fit of this kind goes on from, None if it cannot."""
    match config:
        case ELSAConfig():
            return TrainingState
        case NetworkConfig() | PairConfig() | SVAEConfig() | RatingNetworkConfig():
            return NetworkState
        case CombinedAutoencoderConfig():
            return NetworkState
        case _:
            return None


# To add a kind that stops early: its case here and a function below. Its fitted model has
# best_epoch, and its configuration n_epochs.
def fit_by_epochs(data: FitData, config: ModelConfig, how: EpochFit) -> FittedModel:
    """Turn the configuration of a kind that stops early into arguments.

    Args:
        data: what to learn from, and what to stop by.
        config: of a kind that stops early.
        how: the rest.
    """
    match config:
        case ELSAConfig():
            return _fit_elsa(data, config, how)
        case CompressedELSAConfig():
            return _fit_compressed_elsa(data, config, how)
        case ContentELSAConfig():
            return _fit_content_elsa(data, config, how)
        case NetworkConfig():
            return _fit_network(data, config, how)
        case PairConfig():
            return fit_pair_network(data, config, _of_network(how))
        case SVAEConfig():
            return fit_ordered(data, config, _of_network(how))
        case RatingConfig():
            return fit_rating_model(data, config, _of_network(how))
        case _:
            raise TypeError(f"kind must have a fit by epochs, got {config.kind}")


def _fit_elsa(data: FitData, config: ELSAConfig, how: EpochFit) -> ELSA:
    resume = how.resume if isinstance(how.resume, TrainingState) else None
    model = fit_elsa(
        data.X,
        n_factors=config.n_factors
        or usual_rank(*data.X.shape, with_neighbours=config.n_neighbours > 0),
        n_epochs=how.n_epochs,
        batch_size=config.batch_size or usual_batch_size(data.X.shape[0]),
        learning_rate=config.learning_rate,
        alpha=config.alpha,
        beta=config.beta,
        start="xavier" if config.start == "warm" else config.start,
        warm=how.warm,
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
        seed=how.seed,
        device=how.device,
        on_epoch=how.on_epoch,
        resume=resume,
    )
    if not config.n_neighbours:
        return model
    logger.info("fitting weights of %d neighbours for each item", config.n_neighbours)
    return with_residual(
        model, data.X, n_neighbours=config.n_neighbours,
        l2=(config.l2,) if config.l2 else L2_TRIED, validation=data.validation,
    )  # fmt: skip


def _fit_content_elsa(data: FitData, config: ContentELSAConfig, how: EpochFit) -> ContentELSA:
    """Fit without the held-out items until they say stop, then on all items for as long."""
    if data.content is None:
        raise TypeError(f"a model of kind {config.kind} must be given content of items, got none")

    def told(epoch: int, metrics: dict[str, float], _model: ContentELSA) -> None:
        if how.on_epoch is not None:
            how.on_epoch(epoch, {each: metrics[each] for each in metrics if each in _TOLD}, None)

    fit = functools.partial(
        fit_elsa_content, content=data.content.rows, mode=config.mode, seed=how.seed,
        batch_size=config.batch_size or usual_batch_size(data.X.shape[0]),
        learning_rate=config.learning_rate, start=config.start, output=config.output,
        unit_rows=config.unit_rows, gamma=config.gamma, device=how.device,
    )  # fmt: skip
    counts = np.bincount(data.X.indices, minlength=data.X.shape[1])
    finish = functools.partial(replace, space=data.content.space, counts=counts, beta=config.beta)
    if data.items is None:
        return finish(fit(data.X, n_epochs=how.n_epochs, on_epoch=told))
    rows, question = data.items
    model = fit(
        rows, n_epochs=how.n_epochs, patience=config.patience, validation=question, on_epoch=told
    )
    if data.X is not rows:
        model = replace(fit(data.X, n_epochs=model.best_epoch), best_epoch=model.best_epoch)
    return finish(model)


def _fit_compressed_elsa(
    data: FitData, config: CompressedELSAConfig, how: EpochFit
) -> CompressedELSA:
    n_factors = max(config.n_factors or usual_rank(*data.X.shape), 2)
    n_nonzeros = min(config.n_nonzeros or max(n_factors // 16, 4), n_factors // 2)
    plan = kept_entries(n_factors, n_nonzeros, n_stages=config.n_stages, schedule=config.schedule)
    before = (len(plan) - 1) * config.stage_epochs  # nothing can stop these

    def on_epoch(epoch: int, metrics: dict[str, float], _kept: Kept) -> None:
        if how.on_epoch is not None and epoch > before:
            how.on_epoch(epoch - before, metrics, None)

    return fit_compressed_elsa(
        data.X, n_factors=n_factors, n_nonzeros=n_nonzeros, n_epochs=config.stage_epochs,
        n_last_epochs=how.n_epochs, n_stages=config.n_stages,
        batch_size=config.batch_size or usual_batch_size(data.X.shape[0]),
        learning_rate=config.learning_rate, seed=how.seed, schedule=config.schedule,
        restart=config.restart, alpha=config.alpha, beta=config.beta, patience=config.patience,
        validation=data.validation, on_epoch=on_epoch,
    )  # fmt: skip


def _fit_network(data: FitData, config: NetworkConfig, how: EpochFit) -> Autoencoder:
    """Fit a network; what its configuration says goes by the names of the fit's arguments."""
    n_users = data.X.shape[0]
    batch_size = config.batch_size or min(usual_batch_size(n_users), MOST_USERS_A_STEP)
    given: dict[str, Any] = config.model_dump(exclude={"kind"}) | {
        "n_epochs": how.n_epochs, "batch_size": batch_size, "validation": data.validation,
        "seed": how.seed, "device": how.device, "on_epoch": how.on_epoch,
        "resume": how.resume if isinstance(how.resume, NetworkState) else None,
    }  # fmt: skip
    match config:
        case MultVAEConfig():  # by the epochs configured: the last fit has fewer, not faster ones
            given["anneal_steps"] = config.anneal_steps or usual_anneal_steps(
                n_users, n_epochs=config.n_epochs, batch_size=batch_size, cap=config.cap
            )
            return fit_multvae(data.X, **given)
        case MultDAEConfig():
            return fit_multdae(data.X, **given)
        case CDAEConfig():
            return fit_cdae(data.X, **given).for_new_users
        case _:
            raise TypeError(f"kind must have a fit by epochs, got {type(config)}")


def _of_network(how: EpochFit) -> dict[str, Any]:
    return {
        "n_epochs": how.n_epochs, "seed": how.seed, "device": how.device,
        "on_epoch": how.on_epoch,
        "resume": how.resume if isinstance(how.resume, NetworkState) else None,
    }  # fmt: skip
