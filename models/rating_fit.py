"""What fits of networks over ratings have in common: data, optimisers, figures."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from scipy.optimize import minimize
from torch import nn

from models.network_fit import OnNetworkEpoch, Step, Training, fit_network
from models.network_state import NetworkState, flat_parameters, set_parameters
from models.rating_model import rating_figures
from models.rating_offset import Centre, RatingOffset, rating_offset
from models.rating_scale import RatingScale, rated_columns, rating_scale

Optimiser = Literal["adam", "momentum", "rmsprop", "rprop", "lbfgs"]
Validation = tuple[sp.csr_array, sp.csr_array]


class RatingData(NamedTuple):
    """Ratings as a network learns them."""

    left: sp.csr_array  # ratings less their offsets, every one stored
    offset: RatingOffset
    scale: RatingScale
    rated: np.ndarray  # (n_items,) bool


def rating_data(
    R: sp.csr_array,
    centre: Centre,
    *,
    lowest: float | None,
    highest: float | None,
    fallback: float | None,
) -> RatingData:
    """Return ratings less their offsets, and what turns them back.

    Raises:
        ValueError: as rating_scale.
    """
    scale = rating_scale(R, lowest=lowest, highest=highest, fallback=fallback)
    offset = rating_offset(R, centre=centre)
    return RatingData(offset.removed(R), offset, scale, rated_columns(R))


def optimiser_of(
    name: Optimiser, network: nn.Module, *, learning_rate: float, weight_decay: float = 0.0
) -> torch.optim.Optimizer:
    """Return an optimiser over the parameters of a network."""
    parameters = list(network.parameters())
    match name:
        case "adam":
            return torch.optim.Adam(parameters, lr=learning_rate, weight_decay=weight_decay)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=learning_rate, weight_decay=weight_decay)
        case "rprop":
            return torch.optim.Rprop(parameters, lr=learning_rate)
        case _:
            return torch.optim.SGD(
                parameters, lr=learning_rate, momentum=0.9, weight_decay=weight_decay
            )


def fit_ratings(
    network: Any,
    rows: np.ndarray,
    training: Training,
    optimiser: Optimiser,
    *,
    learning_rate: float,
    validation: Validation | None,
    on_epoch: OnNetworkEpoch | None,
    resume: NetworkState | None,
) -> NetworkState:
    """Train a network of ratings in place, by minibatches or by all rows at once.

    Args:
        network: a TrainedNetwork whose fitted model predicts ratings.
        rows: the rows that teach.
        training: see fit_network; "rprop" and "lbfgs" take all rows in every step.
        optimiser: which one.
        learning_rate: its step size, of "rprop" the first one; "lbfgs" searches for its own.
        validation: see rating_figures; the epoch of the smallest rmse is best.
        on_epoch: see fit_network.
        resume: likewise.

    Raises:
        ValueError: a fit by L-BFGS is to be resumed: what it remembers is not kept.
    """
    validate = rating_figures(validation)
    if optimiser == "lbfgs":
        if resume is not None:
            raise ValueError("a fit by lbfgs must begin anew, got a state to resume")
        return _fit_lbfgs(network, rows, training, validate, on_epoch)
    if optimiser == "rprop":
        training = training._replace(batch_size=len(rows))
    return fit_network(
        network, rows, training, optimiser_of(optimiser, network, learning_rate=learning_rate),
        validate=validate, metric="rmse", on_epoch=on_epoch, resume=resume,
    )  # fmt: skip


def _fit_lbfgs(
    network: Any,
    rows: np.ndarray,
    training: Training,
    validate: Callable[[Any], dict[str, float]] | None,
    on_epoch: OnNetworkEpoch | None,
) -> NetworkState:
    """Run L-BFGS of scipy; an epoch is one iteration."""
    start = flat_parameters(network)
    kept = [NetworkState(start, start, np.zeros((0, 0), np.float32), 0, 0, 0, -np.inf)]

    def told(intermediate_result: Any) -> None:
        now = intermediate_result.x.astype(np.float32)
        set_parameters(network, now)
        figures = {} if validate is None else validate(network.fitted())
        kept.append(_after(kept[-1], now, figures.get("rmse")))
        if on_epoch is not None:
            on_epoch(kept[-1].epoch, {"loss": float(intermediate_result.fun)} | figures, kept[-1])
        stale = kept.pop(0).epoch + 1 - kept[-1].best_epoch
        if training.patience is not None and stale >= training.patience:
            raise StopIteration

    minimize(
        _loss_and_gradient(network, rows), start.astype(np.float64), method="L-BFGS-B", jac=True,
        callback=told, options={"maxiter": training.n_epochs, "maxfun": 20 * training.n_epochs},
    )  # fmt: skip
    set_parameters(network, kept[-1].best_parameters)
    network.eval()
    return kept[-1]


def _loss_and_gradient(
    network: Any, rows: np.ndarray
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    parameters = list(network.parameters())
    noise = torch.Generator(device=parameters[0].device).manual_seed(0)

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        set_parameters(network, flat.astype(np.float32))
        network.zero_grad(set_to_none=True)
        loss = network.loss(rows, Step(0, 1, noise))
        loss.backward()
        gradient = [each.grad.detach().cpu().numpy().ravel() for each in parameters]
        return float(loss.detach()), np.concatenate(gradient).astype(np.float64)

    return evaluate


def _after(state: NetworkState, now: np.ndarray, error: float | None) -> NetworkState:
    epoch, none = state.epoch + 1, state.memory
    if error is None:
        return NetworkState(now, now, none, epoch, epoch, epoch, -np.inf)
    if -error > state.best_metric:
        return NetworkState(now, now, none, epoch, epoch, epoch, -error)
    return NetworkState(
        now, state.best_parameters, none, epoch, epoch, state.best_epoch, state.best_metric
    )
