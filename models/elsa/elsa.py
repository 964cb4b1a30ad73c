"""ELSA: a linear shallow autoencoder; its item-item matrix has low rank and a zero diagonal.

What the rank cannot hold may stand beside it, as sparse weights (models/elsa/elsa_residual.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.elsa.elsa_cpu import CpuEngine
from models.elsa.elsa_form import AS_PUBLISHED, ELSAForm
from models.elsa.elsa_start import spectral_start, warm_start, xavier_start
from models.elsa.elsa_state import Parameter, TrainingState, fresh_state
from models.elsa.elsa_torch import TorchEngine
from models.elsa.nadam import Schedule
from models.elsa.tempering import popularity_power, scale_items
from models.item_item.sparse_product import sparse_product
from models.item_rows import over_items
from models.metric.metric import evaluate

Validation = tuple[sp.csr_array, sp.csr_array]
OnEpoch = Callable[[int, dict[str, float], TrainingState], None]

_ENOUGH = 512  # factors, where weights among neighbours stand beside them


@dataclass(frozen=True)
class ELSA:
    """Fitted ELSA; scores are ``X diag(counts^-alpha) (A Aᵀ - I) diag(counts^beta) + X W``."""

    A: Float[np.ndarray, "n_items n_factors"]  # unit rows
    counts: Int[np.ndarray, " n_items"] | None = None  # users who had the item in training
    alpha: float = 0.0
    beta: float = 0.0
    best_epoch: int = 0
    W: sp.csr_array | None = None  # (n_items, n_items) float32, zero diagonal; None: zeros
    l2: float | None = None  # that W was fitted with

    def temper(self, X: sp.csr_array) -> sp.csr_array:
        """Return X as the low rank reads it: item j adds x_j a_j·a_i to the score of item i."""
        scale = self._power(-self.alpha)
        return X if scale is None else scale_items(X, scale)

    def encode(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_factors"]:
        """Return users' factors, float32."""
        return np.asarray(self.temper(X) @ self.A, dtype=np.float32)

    @cached_property
    def decoder(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return A by the power of popularity; ``encode(X) @ decoder.T`` are the products."""
        scale = self._power(self.beta)
        return self.A if scale is None else self.A * scale[:, None]

    def own(self, X: sp.csr_array) -> Float[np.ndarray, " nnz"]:
        """Return what an item of X adds to its own product, which is no part of its score.

        Returns:
            Aligned with X.indices, float32: x_j |a_j|², tempered as input and as score.
        """
        weight = self.temper(X).data * self._squares[X.indices]
        scale = self._power(self.beta)
        return (weight if scale is None else weight * scale[X.indices]).astype(np.float32)

    @property
    def beside(self) -> Callable[[sp.csr_array], sp.csr_array] | None:
        """What W adds to that product: of X, sorted, the matrix (batch, n_items); None without."""
        W = self.W
        return None if W is None else lambda X: sparse_product(X.astype(np.float32), W)

    def scores(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return dense scores, for small batches."""
        tempered, scale = self.temper(X), self._power(self.beta)
        scores = np.asarray(tempered @ self.A @ self.A.T - tempered.toarray(), dtype=np.float32)
        scores = scores if scale is None else scores * scale
        return scores if self.beside is None else scores + self.beside(X).toarray()

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "ELSA":
        """Return the model over at least as many items; the rows of unknown ones are zeros.

        Args:
            known: of all items, false for those beyond the model.
        """
        n_own, n_items = len(self.A), len(known)
        counts = np.zeros(n_items, dtype=np.int64)
        counts[:n_own] = 0 if self.counts is None else self.counts
        wider = replace(self, A=over_items(self.A, known), counts=counts)
        if self.W is None:
            return wider
        indptr = np.pad(self.W.indptr, (0, n_items - n_own), mode="edge")
        W = sp.csr_array((self.W.data, self.W.indices, indptr), shape=(n_items, n_items))
        return replace(wider, W=W)

    @cached_property
    def _squares(self) -> np.ndarray:
        return np.einsum("ij,ij->i", self.A, self.A)

    def _power(self, exponent: float) -> np.ndarray | None:
        if self.counts is None or not exponent:
            return None
        return popularity_power(self.counts, exponent)


def fit_elsa(
    X: sp.csr_array,
    *,
    n_factors: int,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    alpha: float = 0.0,
    beta: float = 0.0,
    start: Literal["xavier", "spectral"] = "xavier",
    warm: Float[np.ndarray, "n_items n_earlier"] | None = None,
    form: ELSAForm = AS_PUBLISHED,
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
        alpha: inputs are divided by popularity^alpha, see models/elsa/tempering.py.
        beta: scores are multiplied by popularity^beta.
        start: at random, or at the leading singular vectors of X.
        warm: factors of an earlier model over these items, zero rows where an item is new.
        form: output, loss and how a step is computed.
        device: torch device.
        patience: epochs without a better validation nDCG@100 before the fit stops.
        validation: fold-in and target of held-out users, both (n_held_out, n_items).
        on_epoch: called after every epoch with its number (from 1), figures and state; the
            state's arrays change with the next epoch.
        resume: state to go on from; the result is that of an uninterrupted fit, to the bit.

    Raises:
        ValueError: X holds no interaction, or the state to resume has another shape.
        ArithmeticError: the loss is not finite.
    """
    rows = _filled_rows(X)
    counts = np.bincount(rows.indices, minlength=X.shape[1])
    tempered = scale_items(rows, popularity_power(counts, -alpha))
    state = _own(resume) if resume else _begin(tempered, n_factors, seed, start=start, warm=warm)
    _check_shape(state, (X.shape[1], n_factors))

    def validate(A: np.ndarray) -> dict[str, float]:
        return _validate(ELSA(A, counts, alpha, beta), validation, known=counts > 0)

    epochs = _Epochs(n_epochs, batch_size, learning_rate, seed, patience, form.loss)
    engine = form.engine(tempered, state.parameter, batch_size=batch_size, seed=seed, device=device)
    state = _run(engine, state, epochs, rows.shape[0], validate=validate, on_epoch=on_epoch)
    return ELSA(state.best_factors, counts, alpha, beta, state.best_epoch)


class _Epochs(NamedTuple):
    n_epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    patience: int | None
    loss: str


def _run(
    engine: CpuEngine | TorchEngine,
    state: TrainingState,
    epochs: _Epochs,
    n_rows: int,
    *,
    validate: Callable[[np.ndarray], dict[str, float]],
    on_epoch: OnEpoch | None,
) -> TrainingState:
    while state.epoch < epochs.n_epochs and not _is_stale(state, epochs.patience):
        order = np.random.default_rng([epochs.seed, state.epoch + 1]).permutation(n_rows)
        losses, schedule = engine.run_epoch(
            order,
            batch_size=epochs.batch_size,
            learning_rate=epochs.learning_rate,
            schedule=state.schedule,
        )
        parameter = engine.parameter
        _check_finite(losses, parameter, state.epoch + 1)
        metrics = {epochs.loss: float(losses.mean())} | validate(parameter.A)
        state = _advance(state, parameter, schedule, metrics.get("ndcg@100"))
        if on_epoch is not None:
            on_epoch(state.epoch, metrics, state)
    return state


def usual_rank(n_users: int, n_items: int, *, with_neighbours: bool = False) -> int:
    """Return the power of two that keeps a step at about 60 billion operations, or less.

    At 10,000 items it is 1024, at a million 128; never more than the users or an eighth of the
    items. On Goodbooks, where no item is popular, the factors alone rank the better the more of
    them there are. Beside weights among neighbours 512 are enough: of 256, 512 and 1024 the
    fewest rank best there, and Yelp, which gains up to 512, does not beyond.

    Args:
        n_users: with a row.
        n_items: of the vocabulary.
        with_neighbours: whether items have weights of their neighbours beside the factors.
    """
    affordable = min(np.sqrt(2e10 / n_items), n_items / 8, n_users)
    most = _ENOUGH if with_neighbours else np.inf
    return int(2 ** max(2, np.floor(np.log2(min(affordable, most)))))


def usual_batch_size(n_users: int) -> int:
    """Return how many users a step should take: about 16 steps make an epoch.

    Measured on MovieLens, Goodbooks and Yelp: fewer steps need more epochs, and more cost time
    without ranking better.
    """
    return int(np.clip(n_users // 16, 32, 2048))


def _filled_rows(X: sp.csr_array) -> sp.csr_array:
    squares = np.square(X.data, dtype=np.float64)
    user = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    filled = np.bincount(user, weights=squares, minlength=X.shape[0]) != 0.0  # keeps nan: it fails
    if not filled.any():
        raise ValueError(f"X must hold an interaction, got shape {X.shape} without any")
    return X[np.flatnonzero(filled)]


def _begin(
    X: sp.csr_array, n_factors: int, seed: int, *, start: str, warm: np.ndarray | None
) -> TrainingState:
    if warm is not None:
        return fresh_state(*warm_start(X, warm, n_factors, seed))
    if start == "spectral":
        return fresh_state(*spectral_start(X, n_factors, seed))
    return fresh_state(*xavier_start(X.shape[1], n_factors, seed))


def _own(state: TrainingState) -> TrainingState:
    return state.holding(Parameter(*(np.array(each) for each in state.parameter)))


def _check_shape(state: TrainingState, asked: tuple[int, int]) -> None:
    if state.factors.shape != asked:
        raise ValueError(f"factors to resume must have shape {asked}, got {state.factors.shape}")


def _check_finite(losses: np.ndarray, parameter: Parameter, epoch: int) -> None:
    seen = np.append(losses, parameter.norm.sum())  # the last step has no loss that would show it
    bad = np.flatnonzero(~np.isfinite(seen))
    if len(bad):
        raise ArithmeticError(
            f"the loss must be finite, got {seen[bad[0]]} in epoch {epoch}, batch {bad[0]}: "
            "a lower learning_rate may help, and the weights of X must be finite"
        )


def _validate(model: ELSA, validation: Validation | None, *, known: np.ndarray) -> dict[str, float]:
    if validation is None:
        return {}
    fold_in, target = validation
    values = evaluate(model, fold_in=fold_in, target=target, eligible=known)
    return {"ndcg@100": float(values["ndcg@100"].mean())}


def _advance(
    state: TrainingState, parameter: Parameter, schedule: Schedule, metric: float | None
) -> TrainingState:
    after = replace(
        state.holding(parameter),
        mu_product=schedule.mu_product, step=schedule.step, epoch=state.epoch + 1,
    )  # fmt: skip
    if metric is None:
        return replace(after, best_factors=parameter.A, best_epoch=after.epoch)
    if metric > state.best_metric:
        best = parameter.A.copy()
        return replace(after, best_factors=best, best_epoch=after.epoch, best_metric=metric)
    return after


def _is_stale(state: TrainingState, patience: int | None) -> bool:
    return patience is not None and state.epoch - state.best_epoch >= patience
