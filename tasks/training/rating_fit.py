"""Fits of models of ratings that are trained by epochs, from their configuration."""

from collections.abc import Callable
from typing import Any

from data_contracts.rating_config import (
    AutoRecConfig,
    BiasedMFConfig,
    CombinedAutoencoderConfig,
    DeepRecConfig,
    RatingAutoencoderConfig,
    RatingConfig,
)
from models.rating.autorec import AutoRecForm, fit_autorec
from models.rating.biased_mf import BiasedMF, BiasedMFState, fit_biased_mf
from models.rating.combined_autoencoder import Widths, fit_combined_autoencoder
from models.rating.combined_model import CombinedAutoencoder
from models.rating.deeprec import DeepRecForm, fit_deeprec
from models.rating.item_codes import ItemCodes
from models.rating.rating_autoencoder import Form, fit_rating_autoencoder
from models.rating.rating_network_model import RatingNetworkModel
from tasks.training.fit_data import FitData


def fit_rating_model(
    data: FitData, config: RatingConfig, how: dict[str, Any]
) -> BiasedMF | ItemCodes | RatingNetworkModel | CombinedAutoencoder:
    """Turn the configuration of a model of ratings into arguments.

    Args:
        data: ratings, and others of the same users to stop by.
        config: the model.
        how: n_epochs, seed, device, on_epoch and resume, as the fits of networks take them.
    """
    given = config.model_dump(exclude={"kind"}) | how | {"validation": data.validation}
    if isinstance(config, BiasedMFConfig):  # computed here, and begun anew if it was killed
        del given["device"], given["resume"]
        return fit_biased_mf(data.X, **given | {"on_epoch": _without_state(how["on_epoch"])})
    if isinstance(config, CombinedAutoencoderConfig):
        given["batch_size"] = config.batch_size or min(max(data.X.nnz // 256, 32), 4096)
        widths = Widths(**{name: given.pop(name) for name in Widths._fields})
        return fit_combined_autoencoder(data.X, widths=widths, interruptible=False, **given)
    of_items = getattr(config, "based_on", "user") == "item"
    n_vectors = data.X.shape[1 if of_items else 0]
    given["batch_size"] = given["batch_size"] or usual_vectors(n_vectors)
    match config:
        case AutoRecConfig():
            resume = None if config.optimiser == "lbfgs" else how["resume"]
            auto = AutoRecForm(**{name: given.pop(name) for name in AutoRecForm._fields})
            return fit_autorec(data.X, auto, **given | {"resume": resume})
        case DeepRecConfig():
            deep = DeepRecForm(**{name: given.pop(name) for name in DeepRecForm._fields})
            return fit_deeprec(data.X, deep, **given)
        case RatingAutoencoderConfig():
            form = Form(**{name: given.pop(name) for name in Form._fields})
            return fit_rating_autoencoder(data.X, form, **given)
        case _:
            raise TypeError(f"kind must have a fit of ratings, got {config}")


def usual_vectors(n_vectors: int) -> int:
    """Return how many users or items are learnt from in a step, by default."""
    return min(max(n_vectors // 32, 16), 256)


def _without_state(
    on_epoch: Callable[[int, dict[str, float], None], None] | None,
) -> Callable[[int, dict[str, float], BiasedMFState], None] | None:
    return on_epoch and (lambda epoch, figures, _state: on_epoch(epoch, figures, None))
