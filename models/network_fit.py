"""Minibatch training of any network over the rows of X: order, early stopping, going on."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from models.metric import evaluate
from models.network_state import (
    NetworkState,
    flat_memory,
    flat_parameters,
    set_memory,
    set_parameters,
)

logger = logging.getLogger(__name__)
OnNetworkEpoch = Callable[[int, dict[str, float], NetworkState], None]
Validation = tuple[sp.csr_array, sp.csr_array]
_ERRORS = ("rmse", "mae")  # figures of which less is better


class Step(NamedTuple):
    """Where a training stands, and what its noise is drawn from."""

    number: int  # steps made before, over the whole run
    epoch: int  # from 1
    noise: torch.Generator  # on the device of the network


class TrainedNetwork(Protocol):
    """What fit_network trains: a torch module that computes the loss of some rows."""

    def loss(self, rows: np.ndarray, step: Step) -> Tensor:
        """Return the loss of the rows named, a number."""

    def fitted(self) -> Any:
        """Return the fitted model of the parameters as they are, in numpy, without copying X."""


class Training(NamedTuple):
    """How a network is trained."""

    n_epochs: int
    batch_size: int
    seed: int
    patience: int | None = None


def fit_network(
    network: Any,
    rows: np.ndarray,
    training: Training,
    optimiser: torch.optim.Optimizer,
    *,
    validate: Callable[[Any], dict[str, float]] | None = None,
    metric: str = "ndcg@100",
    on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
) -> NetworkState:
    """Train a network in place; afterwards it holds the parameters of the best epoch.

    Args:
        network: a TrainedNetwork, on its device.
        rows: the rows that teach, each visited once an epoch in an order of the seed.
        training: epochs, rows per step, seed, patience.
        optimiser: over the parameters of the network.
        validate: figures of a fitted model; the largest ``metric`` is best. Without it the last
            epoch is.
        metric: name of the figure; of "rmse" and "mae" the smallest is best.
        on_epoch: called after every epoch with its number (from 1), figures and state.
        resume: where to go on; the result is that of an uninterrupted fit, to the bit.

    Raises:
        ArithmeticError: the loss is not finite.
    """
    state = _begin(network, optimiser, resume)
    most = training.batch_size
    while state.epoch < training.n_epochs and not _is_stale(state, training.patience):
        epoch = state.epoch + 1
        order = np.random.default_rng([training.seed, epoch]).permutation(rows)
        network.train()
        loss, n_steps, most = _run_epoch(
            network,
            order,
            optimiser,
            _noise(network, training.seed, epoch),
            state.step,
            epoch,
            most,
        )
        network.eval()
        figures = {} if validate is None else validate(network.fitted())
        value = _goodness(figures, metric)
        state = _advance(state, network, optimiser, n_steps, value)
        if on_epoch is not None:
            on_epoch(epoch, {"loss": loss} | figures, state)
    set_parameters(network, state.best_parameters)
    network.eval()
    return state


def ranking_figures(
    validation: Validation | None, *, known: np.ndarray
) -> Callable[[Any], dict[str, float]] | None:
    """Return what judges a fitted model by held-out users: nDCG@100 over the known items."""
    if validation is None:
        return None
    fold_in, target = validation

    def validate(model: Any) -> dict[str, float]:
        values = evaluate(model, fold_in=fold_in, target=target, eligible=known)
        return {"ndcg@100": float(values["ndcg@100"].mean())}

    return validate


def _goodness(figures: dict[str, float], metric: str) -> float | None:
    value = figures.get(metric)
    return -value if value is not None and metric in _ERRORS else value


def _begin(network: nn.Module, optimiser: Any, resume: NetworkState | None) -> NetworkState:
    if resume is None:
        start = flat_parameters(network)
        return NetworkState(start, start, np.zeros((0, 0), np.float32), 0, 0, 0, -np.inf)
    if resume.parameters.shape != flat_parameters(network).shape:
        raise ValueError(
            f"a state to resume must have {len(flat_parameters(network))} parameters, "
            f"got {len(resume.parameters)}"
        )
    set_parameters(network, resume.parameters)
    set_memory(optimiser, resume.memory, resume.step)
    return resume


def _run_epoch(
    network: Any, order: np.ndarray, optimiser: torch.optim.Optimizer, noise: torch.Generator,
    n_before: int, epoch: int, most: int,
) -> tuple[float, int, int]:  # fmt: skip
    losses: list[Tensor] = []
    start = 0
    while start < len(order):
        rows = order[start : start + most]
        try:
            optimiser.zero_grad(set_to_none=True)
            loss = network.loss(rows, Step(n_before + len(losses), epoch, noise))
            loss.backward()
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise
            most = len(rows) // 2
            logger.warning("out of memory: %d rows per step from here on", most)
            torch.cuda.empty_cache()
            continue
        optimiser.step()
        losses.append(loss.detach())
        start += len(rows)
    seen = torch.stack(losses).cpu().numpy()
    bad = np.flatnonzero(~np.isfinite(seen))
    if len(bad):
        raise ArithmeticError(
            f"the loss must be finite, got {seen[bad[0]]} in epoch {epoch}, batch {bad[0]}: "
            "a lower learning_rate may help, and the entries of X must be finite"
        )
    return float(seen.mean()), len(losses), most


def _noise(network: nn.Module, seed: int, epoch: int) -> torch.Generator:
    device = next(network.parameters()).device
    drawn = np.random.SeedSequence([seed, epoch, 1]).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(drawn >> np.uint64(1)))


def _advance(
    state: NetworkState, network: nn.Module, optimiser: Any, n_steps: int, value: float | None
) -> NetworkState:
    now = flat_parameters(network)
    after = replace(
        state, parameters=now, memory=flat_memory(optimiser), step=state.step + n_steps,
        epoch=state.epoch + 1,
    )  # fmt: skip
    if value is None:
        return replace(after, best_parameters=now, best_epoch=after.epoch)
    if value > state.best_metric:
        return replace(after, best_parameters=now, best_epoch=after.epoch, best_metric=value)
    return after


def _is_stale(state: NetworkState, patience: int | None) -> bool:
    return patience is not None and state.epoch - state.best_epoch >= patience
