"""Minibatch training of any network over the rows of X: order, early stopping, going on."""

import logging
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from models.metric.metric import evaluate
from models.network.network_state import (
    NetworkState,
    flat_memory,
    flat_parameters,
    fresh_state,
    set_memory,
    set_parameters,
)
from models.rating.rating_metric import goodness

logger = logging.getLogger(__name__)
OnNetworkEpoch = Callable[[int, dict[str, float], NetworkState], None]
Validation = tuple[sp.csr_array, sp.csr_array]
Arrange = Callable[[np.random.Generator, np.ndarray], np.ndarray]


class Step(NamedTuple):
    """Where a training stands, and what its noise is drawn from."""

    number: int  # steps made before, over the whole run
    epoch: int  # from 1
    noise: torch.Generator  # on the device of the network


class TrainedNetwork(nn.Module):
    """What fit_network trains: a torch module that computes the loss of some rows."""

    def loss(self, rows: np.ndarray, step: Step) -> Tensor:
        """Return the loss of the rows named, a number."""
        raise NotImplementedError

    def losses(self, rows: np.ndarray, step: Step) -> Iterator[Tensor]:
        """Yield one loss after the other; the optimiser steps after each."""
        yield self.loss(rows, step)

    def fitted(self) -> Any:
        """Return the fitted model of the parameters as they are, in numpy, without copying X."""
        raise NotImplementedError


class Training(NamedTuple):
    """How a network is trained."""

    n_epochs: int
    batch_size: int
    seed: int
    patience: int | None = None
    milestones: tuple[int, ...] = ()  # after each of these epochs the step size becomes less
    decay: float = 0.5  # by this factor
    max_gradient: float | None = None  # longer gradients are brought to this length
    interruptible: bool = False  # Ctrl-C ends the training, and the best epoch so far is kept


def fit_network(
    network: TrainedNetwork,
    rows: np.ndarray,
    training: Training,
    optimiser: torch.optim.Optimizer,
    *,
    validate: Callable[[Any], dict[str, float]] | None = None,
    metric: str = "ndcg@100",
    on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
    arrange: Arrange | None = None,
) -> NetworkState:
    """Train a network in place; afterwards it holds the parameters of the best epoch.

    Args:
        network: on its device.
        rows: the rows that teach, each visited once an epoch in an order of the seed.
        training: epochs, rows per step, seed, patience.
        optimiser: over the parameters of the network.
        validate: figures of a fitted model; the largest ``metric`` is best. Without it the last
            epoch is.
        metric: name of the figure; of "rmse" and "mae" the smallest is best.
        on_epoch: called after every epoch with its number (from 1), figures and state; it may
            raise StopIteration to end the training.
        resume: where to go on; the result is that of an uninterrupted fit, to the bit.
        arrange: puts the rows of an epoch into the order of its steps, by default at random.

    Raises:
        ArithmeticError: the loss is not finite.
    """
    kept = [_begin(network, optimiser, resume)]
    try:
        arranged = arrange or np.random.Generator.permutation
        _train(network, rows, training, optimiser, validate, metric, on_epoch, arranged, kept)
    except StopIteration:
        pass
    except KeyboardInterrupt:
        if not training.interruptible:
            raise
        logger.warning("interrupted after epoch %d: the best one so far is kept", kept[0].epoch)
    state = kept[0]
    set_parameters(network, state.best_parameters)
    network.eval()
    return state


def _train(
    network: TrainedNetwork,
    rows: np.ndarray,
    training: Training,
    optimiser: torch.optim.Optimizer,
    validate: Callable[[Any], dict[str, float]] | None,
    metric: str,
    on_epoch: OnNetworkEpoch | None,
    arranged: Arrange,
    kept: list[NetworkState],
) -> None:
    """Run the epochs; the state after the last whole one is in ``kept``, whatever is raised."""
    most, rates = training.batch_size, [group["lr"] for group in optimiser.param_groups]
    while kept[0].epoch < training.n_epochs and not kept[0].is_stale(training.patience):
        epoch = kept[0].epoch + 1
        order = arranged(np.random.default_rng([training.seed, epoch]), rows)
        _set_rates(optimiser, rates, training, epoch)
        network.train()
        noise = _noise(network, training.seed, epoch)
        clip = training.max_gradient
        loss, n_steps, most = _run_epoch(
            network, order, optimiser, noise, kept[0].step, epoch, most, clip
        )
        network.eval()
        figures = {} if validate is None else validate(network.fitted())
        kept[0] = kept[0].advanced(
            flat_parameters(network), flat_memory(optimiser), n_steps=n_steps,
            value=goodness(figures[metric], metric) if metric in figures else None,
        )  # fmt: skip
        if on_epoch is not None:
            on_epoch(epoch, {"loss": loss} | figures, kept[0])


def ranking_figures(
    validation: Validation | None, X: sp.csr_array
) -> Callable[[Any], dict[str, float]] | None:
    """Return what judges a fitted model by held-out users: nDCG@100 over the items of X."""
    if validation is None:
        return None
    fold_in, target = validation
    known = np.bincount(X.indices, minlength=X.shape[1]) > 0

    def validate(model: Any) -> dict[str, float]:
        values = evaluate(model, fold_in=fold_in, target=target, eligible=known)
        return {"ndcg@100": float(values["ndcg@100"].mean())}

    return validate


def _begin(network: nn.Module, optimiser: Any, resume: NetworkState | None) -> NetworkState:
    if resume is None:
        return fresh_state(network)
    if resume.parameters.shape != flat_parameters(network).shape:
        raise ValueError(
            f"a state to resume must have {len(flat_parameters(network))} parameters, "
            f"got {len(resume.parameters)}"
        )
    set_parameters(network, resume.parameters)
    set_memory(optimiser, resume.memory, resume.step)
    return resume


def _run_epoch(
    network: TrainedNetwork, order: np.ndarray, optimiser: torch.optim.Optimizer,
    noise: torch.Generator, n_before: int, epoch: int, most: int, max_gradient: float | None,
) -> tuple[float, int, int]:  # fmt: skip
    losses: list[Tensor] = []
    start = 0
    while start < len(order):
        rows = order[start : start + most]
        try:
            step = Step(n_before + len(losses), epoch, noise)
            for loss in network.losses(rows, step):
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                if max_gradient is not None:
                    nn.utils.clip_grad_norm_(network.parameters(), max_gradient)
                optimiser.step()
                losses.append(loss.detach())
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise
            most = len(rows) // 2
            logger.warning("out of memory: %d rows per step from here on", most)
            torch.cuda.empty_cache()
            continue
        start += len(rows)
    seen = torch.stack(losses).cpu().numpy()
    bad = np.flatnonzero(~np.isfinite(seen))
    if len(bad):
        raise ArithmeticError(
            f"the loss must be finite, got {seen[bad[0]]} in epoch {epoch}, batch {bad[0]}: "
            "a lower learning_rate may help, and the entries of X must be finite"
        )
    return float(seen.mean()), len(losses), most


def _set_rates(
    optimiser: torch.optim.Optimizer, rates: list[float], training: Training, epoch: int
) -> None:
    n_passed = sum(epoch > each for each in training.milestones)
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = rate * training.decay**n_passed


def _noise(network: nn.Module, seed: int, epoch: int) -> torch.Generator:
    device = next(network.parameters()).device
    drawn = np.random.SeedSequence([seed, epoch, 1]).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(drawn >> np.uint64(1)))
