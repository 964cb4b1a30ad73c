"""ELSA: a linear shallow autoencoder whose item-item matrix has low rank and a zero diagonal."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor

from models.metric import evaluate

Validation = tuple[sp.csr_array, sp.csr_array]
_NORM_FLOOR = 1e-12


@dataclass(frozen=True)
class ELSA:
    """Fitted ELSA; scores are ``X (A Aᵀ - I)``."""

    A: Float[np.ndarray, "n_items n_factors"]
    best_epoch: int

    def encode(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_factors"]:
        """Return users' factors X A, float32."""
        return np.asarray(X @ self.A, dtype=np.float32)

    @property
    def decoder(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return A: scores of unseen items are ``encode(X) @ decoder.T``."""
        return self.A

    def scores(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return dense scores, for small batches."""
        return np.asarray(self.encode(X) @ self.A.T - X.toarray(), dtype=np.float32)


@dataclass(frozen=True)
class TrainingState:
    """All that a training needs to go on after an epoch, to the bit."""

    weights: np.ndarray  # (n_items, n_factors)
    exp_avg: np.ndarray  # first moment of NAdam
    exp_avg_sq: np.ndarray  # second moment of NAdam
    best_weights: np.ndarray
    mu_product: float
    step: int
    epoch: int
    best_epoch: int
    best_metric: float


OnEpoch = Callable[[int, dict[str, float], TrainingState], None]


class Gradient(NamedTuple):
    """Loss of a batch and its gradient with respect to W."""

    loss: Float[Tensor, ""]
    gradient: Float[Tensor, "n_items n_factors"]


def loss_and_gradient(W: Float[Tensor, "n_items n_factors"], X: Tensor, Xt: Tensor) -> Gradient:
    """Return the NMSE of a batch and its exact gradient, without a users x items buffer.

    Reference: Vančura et al., RecSys 2022, doi:10.1145/3523227.3551482 (loss and model). With
    h = x A and G = AᵀA, both x·y and |y|² are functions of h and G alone, so nothing of
    the size of y is formed.

    Args:
        W: parameter; its normalised rows are A.
        X: sparse batch, shape (batch, n_items), every row with at least one item.
        Xt: its transpose, sparse.

    Returns:
        Mean of (x/|x| - y/|y|)² over batch and items, and dL/dW. A row whose y vanishes, up
        to rounding, has no direction: it adds its loss and no gradient.
    """
    norm = W.norm(dim=1, keepdim=True).clamp_min(_NORM_FLOOR)
    A = W / norm
    G = A.T @ A  # (n_factors, n_factors)
    H = X @ A  # (batch, n_factors)
    n = _squared_rows(X)
    hh = (H * H).sum(dim=1)
    HG = H @ G
    p = hh - n  # x·y
    q2 = (HG * H).sum(dim=1) - 2.0 * hh + n  # |y|²
    floor = torch.finfo(W.dtype).eps * n
    moves = q2 > floor
    q2 = torch.where(moves, q2, floor)
    sq = (n * q2).sqrt()
    scale = 2.0 / (X.shape[0] * W.shape[0])
    dp = torch.where(moves, -scale / sq, 0.0)
    dq2 = torch.where(moves, scale * p / (2.0 * q2 * sq), 0.0)
    dH = (2.0 * dp - 4.0 * dq2)[:, None] * H + (2.0 * dq2)[:, None] * HG
    dG = (H * dq2[:, None]).T @ H
    dA = (Xt @ dH).addmm_(A, dG, alpha=2.0)
    radial = (A * dA).sum(dim=1, keepdim=True)
    dW = dA.addcmul_(A, radial, value=-1.0).div_(norm)
    return Gradient(scale * (1.0 - p / sq).sum(), dW)


def fit_elsa(
    X: sp.csr_array,
    *,
    n_factors: int,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    device: str = "cpu",
    patience: int | None = None,
    validation: Validation | None = None,
    on_epoch: OnEpoch | None = None,
    resume: TrainingState | None = None,
) -> ELSA:
    """Return ELSA fitted by minibatch NAdam, the best epoch's weights if there is validation.

    Reference: Vančura et al., RecSys 2022, doi:10.1145/3523227.3551482.

    Args:
        X: interaction weights, shape (n_users, n_items); empty rows are left out.
        n_factors: rank of the item-item matrix.
        n_epochs: most passes over the rows.
        batch_size: rows per step.
        learning_rate: step size of NAdam.
        seed: start and order of the rows.
        device: torch device.
        patience: epochs without a better validation nDCG@100 before the fit stops.
        validation: fold-in and target of held-out users, both (n_held_out, n_items).
        on_epoch: called after every epoch with its number (from 1), figures and state.
        resume: state to go on from; the result is that of an uninterrupted fit, to the bit.

    Raises:
        ValueError: X holds no interaction, or the state to resume has another shape.
        ArithmeticError: the loss is not finite.
    """
    rows = _filled_rows(X)
    state = resume or _start(X.shape[1], n_factors, seed)
    if state.weights.shape != (X.shape[1], n_factors):
        asked = (X.shape[1], n_factors)
        raise ValueError(f"weights to resume must have shape {asked}, got {state.weights.shape}")
    W, optimizer = _restore(state, learning_rate, device)
    known = np.bincount(X.indices, minlength=X.shape[1]) > 0
    while state.epoch < n_epochs and not _is_stale(state, patience):
        loss = _run_epoch(W, optimizer, rows, batch_size, seed=seed, epoch=state.epoch + 1)
        metrics = {"nmse": loss}
        if validation is not None:
            model = ELSA(_unit_rows(W), state.epoch + 1)
            values = evaluate(model, fold_in=validation[0], target=validation[1], eligible=known)
            metrics["ndcg@100"] = float(values["ndcg@100"].mean())
        state = _advance(state, W, optimizer, metrics.get("ndcg@100"))
        if on_epoch is not None:
            on_epoch(state.epoch, metrics, state)
    best = torch.from_numpy(state.best_weights)
    return ELSA(_unit_rows(best), state.best_epoch)


def _filled_rows(X: sp.csr_array) -> sp.csr_array:
    squares = np.square(X.data, dtype=np.float64)
    user = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    filled = np.bincount(user, weights=squares, minlength=X.shape[0]) != 0.0  # keeps nan: it fails
    if not filled.any():
        raise ValueError(f"X must hold an interaction, got shape {X.shape} without any")
    return X[np.flatnonzero(filled)]


def _start(n_items: int, n_factors: int, seed: int) -> TrainingState:
    bound = np.sqrt(6.0 / (n_items + n_factors))  # Xavier
    shape = (n_items, n_factors)
    W = np.random.default_rng(seed).uniform(-bound, bound, shape).astype(np.float32)
    zeros = np.zeros(shape, np.float32)
    return TrainingState(
        weights=W, exp_avg=zeros, exp_avg_sq=zeros, best_weights=W, mu_product=1.0,
        step=0, epoch=0, best_epoch=0, best_metric=-1.0,
    )  # fmt: skip


def _restore(
    state: TrainingState, learning_rate: float, device: str
) -> tuple[Tensor, torch.optim.NAdam]:
    W = torch.tensor(state.weights, device=device)
    optimizer = torch.optim.NAdam([W], lr=learning_rate)
    optimizer.state[W] = {
        "step": torch.tensor(float(state.step)),
        "mu_product": torch.tensor(state.mu_product),
        "exp_avg": torch.tensor(state.exp_avg, device=device),
        "exp_avg_sq": torch.tensor(state.exp_avg_sq, device=device),
    }
    return W, optimizer


def _advance(
    state: TrainingState, W: Tensor, optimizer: torch.optim.NAdam, metric: float | None
) -> TrainingState:
    moments = optimizer.state[W]
    weights = W.cpu().numpy().copy()
    better = metric is None or metric > state.best_metric
    return TrainingState(
        weights=weights,
        exp_avg=moments["exp_avg"].cpu().numpy().copy(),
        exp_avg_sq=moments["exp_avg_sq"].cpu().numpy().copy(),
        best_weights=weights if better else state.best_weights,
        mu_product=float(moments["mu_product"]),
        step=int(moments["step"]),
        epoch=state.epoch + 1,
        best_epoch=state.epoch + 1 if better else state.best_epoch,
        best_metric=metric if better and metric is not None else state.best_metric,
    )


def _is_stale(state: TrainingState, patience: int | None) -> bool:
    return patience is not None and state.epoch - state.best_epoch >= patience


def _run_epoch(
    W: Tensor,
    optimizer: torch.optim.NAdam,
    X: sp.csr_array,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
) -> float:
    order = np.random.default_rng([seed, epoch]).permutation(X.shape[0])
    losses = []
    for start in range(0, len(order), batch_size):
        batch = X[order[start : start + batch_size]]
        loss, W.grad = loss_and_gradient(W, _sparse(batch, W), _sparse(batch.T.tocsr(), W))
        optimizer.step()
        losses.append(loss)
    losses.append(W.sum())  # the last step has no loss that would show it
    for batch_index, loss in enumerate(torch.stack(losses).tolist()):
        if not np.isfinite(loss):
            raise ArithmeticError(
                f"the loss must be finite, got {loss} in epoch {epoch}, batch {batch_index}: "
                "a lower learning_rate may help, and the weights of X must be finite"
            )
    return float(torch.stack(losses[:-1]).mean())


def _sparse(X: sp.csr_array, like: Tensor) -> Tensor:
    index = torch.int32 if X.nnz < 2**31 else torch.int64
    with warnings.catch_warnings():  # torch calls its CSR tensors beta, once per process
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(
            torch.as_tensor(X.indptr, dtype=index, device=like.device),
            torch.as_tensor(X.indices, dtype=index, device=like.device),
            torch.as_tensor(X.data, dtype=like.dtype, device=like.device),
            size=X.shape,
            check_invariants=False,
        )


def _squared_rows(X: Tensor) -> Tensor:
    values = X.values().square()
    return torch.segment_reduce(values, "sum", offsets=X.crow_indices().to(torch.int64))


def _unit_rows(W: Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(W, dim=1).cpu().numpy()
