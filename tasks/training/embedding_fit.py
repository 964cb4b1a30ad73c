"""Fits of SimpleCF, of a network of one's own, and of SVAE, from their configuration."""

from typing import Any

import torch

from data_contracts.embedding_config import ModuleConfig, PairConfig, SimpleCFConfig, SVAEConfig
from data_contracts.errors import ConfigError
from models.factors.factor_baseline import IALS
from models.factors.pair_network import fit_pairs
from models.factors.preference_loss import by_value, constant, logistic, squared
from models.factors.simple_cf import SimpleCF
from models.network.multvae_network import Annealing
from models.network.svae import SVAE
from models.network.svae_fit import fit_svae
from models.network.svae_network import SVAEShape
from tasks.training.fit_data import FitData
from tasks.training.plugin_model import make_network, seeded

_OBJECTIVES = {"square": squared, "logistic": logistic}
_CONFIDENCES = {"one": constant, "weight": by_value}
_OWN = ("kind", "n_factors", "spread", "name", "settings", "objective", "confidence")
_SHAPE = tuple(SVAEShape._fields)


def fit_pair_network(data: FitData, config: PairConfig, how: dict[str, Any]) -> IALS:
    """Fit a network of pairs.

    Args:
        data: what to learn from, and what to stop by.
        config: of SimpleCF, or of a module that a plug-in brings.
        how: n_epochs, seed, device, on_epoch and resume, as fit_pairs takes them.

    Raises:
        ConfigError: the plug-in is not there, or its network is none that can be trained.
    """
    given = config.model_dump(exclude=set(_OWN)) | how | {
        "objective": _OBJECTIVES[config.objective],
        "confidence": _CONFIDENCES[config.confidence],
        "validation": data.validation,
    }  # fmt: skip
    match config:
        case SimpleCFConfig():
            network = SimpleCF(*data.X.shape, config.n_factors, std=config.spread, seed=how["seed"])
            return fit_pairs(network, data.X, **given)
        case ModuleConfig():
            return _fit_module(data, config, given)
        case _:
            raise TypeError(f"kind must have a network of pairs, got {type(config)}")


def _fit_module(data: FitData, config: ModuleConfig, given: dict[str, Any]) -> IALS:
    with seeded(given["seed"], given["device"]):
        network = make_network(config.name, data.X.shape, config.settings)
        try:
            return fit_pairs(network, data.X, **given)
        except torch.OutOfMemoryError:
            raise
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            raise ConfigError(
                f"model.name: {config.name} must be trained on pairs (users, items), two tensors "
                f"of as many indices, and return a score of each: {error}"
            ) from error


def fit_ordered(data: FitData, config: SVAEConfig, how: dict[str, Any]) -> SVAE:
    """Fit SVAE on rows that hold an order.

    Args:
        data: what to learn from, and what to stop by.
        config: of SVAE.
        how: as fit_pair_network, for fit_svae.
    """
    shape = SVAEShape(**{name: getattr(config, name) for name in _SHAPE})
    return fit_svae(
        data.X, shape, batch_size=config.batch_size, learning_rate=config.learning_rate,
        weight_decay=config.weight_decay, annealing=Annealing(config.cap, config.anneal_steps),
        patience=config.patience, validation=data.validation, **how,
    )  # fmt: skip
