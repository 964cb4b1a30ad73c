"""What fits of networks over ratings have in common: data, optimisers, figures."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from scipy.optimize import minimize
from torch import nn

from models.network.network_fit import OnNetworkEpoch, Step, TrainedNetwork, Training, fit_network
from models.network.network_state import NetworkState, fresh_state, set_parameters
from models.rating.rating_metric import goodness
from models.rating.rating_model import rating_figures
from models.rating.rating_offset import Centre, RatingOffset, rating_offset
from models.rating.rating_scale import RatingScale, rated_columns, rating_scale

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
    name: Optimiser, network: nn.Module, *, learning_rate: float
) -> torch.optim.Optimizer:
    """Return an optimiser over the parameters of a network."""
    parameters = list(network.parameters())
    match name:
        case "adam":
            return torch.optim.Adam(parameters, lr=learning_rate)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=learning_rate)
        case "rprop":
            return torch.optim.Rprop(parameters, lr=learning_rate)
        case _:
            return torch.optim.SGD(parameters, lr=learning_rate, momentum=0.9)


def fit_ratings(
    network: TrainedNetwork,
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
        network: whose fitted model predicts ratings.
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
    network: TrainedNetwork,
    rows: np.ndarray,
    training: Training,
    validate: Callable[[Any], dict[str, float]] | None,
    on_epoch: OnNetworkEpoch | None,
) -> NetworkState:
    """Run L-BFGS of scipy; an epoch is one iteration."""
    state = fresh_state(network)
    start = state.parameters.astype(np.float64)

    def told(intermediate_result: Any) -> None:
        nonlocal state
        now = intermediate_result.x.astype(np.float32)
        set_parameters(network, now)
        figures = {} if validate is None else validate(network.fitted())
        value = goodness(figures["rmse"], "rmse") if figures else None
        state = state.advanced(now, state.memory, n_steps=1, value=value)
        if on_epoch is not None:
            on_epoch(state.epoch, {"loss": float(intermediate_result.fun)} | figures, state)
        if state.is_stale(training.patience):
            raise StopIteration

    minimize(
        _loss_and_gradient(network, rows), start, method="L-BFGS-B", jac=True,
        callback=told, options={"maxiter": training.n_epochs, "maxfun": 20 * training.n_epochs},
    )  # fmt: skip
    set_parameters(network, state.best_parameters)
    network.eval()
    return state


def _loss_and_gradient(
    network: TrainedNetwork, rows: np.ndarray
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    parameters = list(network.parameters())
    noise = torch.Generator(device=parameters[0].device).manual_seed(0)

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        set_parameters(network, flat.astype(np.float32))
        loss = network.loss(rows, Step(0, 1, noise))
        slopes = torch.autograd.grad(loss, parameters)
        gradient = np.concatenate([each.cpu().numpy().ravel() for each in slopes])
        return float(loss.detach()), gradient.astype(np.float64)

    return evaluate
