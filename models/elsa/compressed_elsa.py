"""Compressed ELSA: every item keeps k of its factors, which training chooses step by step."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.elsa.compressed_elsa_engine import Kept, KeptEngine
from models.elsa.elsa import ELSA, Validation, fit_elsa
from models.elsa.elsa_start import xavier_start
from models.elsa.tempering import popularity_power, scale_items
from models.metric.metric import evaluate

Schedule = Literal["exponential", "linear", "step"]
_BLOCK = 65_536  # items whose entries are chosen at once


@dataclass(frozen=True)
class CompressedELSA:
    """Fitted; scores are those of ELSA, ``X diag(counts^-alpha) (A Aᵀ - I) diag(counts^beta)``."""

    A: sp.csr_array  # (n_items, n_factors) float32, unit rows of at most n_nonzeros entries
    counts: Int[np.ndarray, " n_items"] | None = None  # users who had the item in training
    alpha: float = 0.0
    beta: float = 0.0
    best_epoch: int = 0  # of the last stage
    consumes: ClassVar[str] = "weighted matrix"

    @property
    def n_bytes(self) -> int:
        """Bytes of values and indices."""
        return self.A.data.nbytes + self.A.indices.nbytes + self.A.indptr.nbytes

    def encode(self, X: sp.csr_array) -> sp.csr_array:
        """Return users' factors, sparse, shape (batch, n_factors), float32."""
        return sp.csr_array((self.temper(X) @ self.A).astype(np.float32))

    def scores(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return dense scores, float32; they cost the nonzeros of A a user, not its width."""
        H = np.ascontiguousarray(self.encode(X).toarray().T)  # (n_factors, batch)
        scores = np.ascontiguousarray((self.A @ H).T)
        tempered = self.temper(X)
        user = np.repeat(np.arange(X.shape[0]), np.diff(tempered.indptr))
        scores[user, tempered.indices] -= tempered.data * self._squares[tempered.indices]
        return scores if self._boost is None else scores * self._boost

    def expanded(self) -> ELSA:
        """Return the same model with dense factors, for whatever asks for these."""
        return ELSA(self.vectors, self.counts, self.alpha, self.beta, self.best_epoch)

    @cached_property
    def vectors(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return A with its zeros, made when it is asked for."""
        return np.asarray(self.A.toarray(), dtype=np.float32)

    def temper(self, X: sp.csr_array) -> sp.csr_array:
        """Return X as the model reads it, as ELSA's does."""
        scale = None if self.counts is None else popularity_power(self.counts, -self.alpha)
        return X.astype(np.float32) if scale is None else scale_items(X, scale)

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "CompressedELSA":
        """Return the model over at least as many items; the rows of unknown ones are empty.

        Args:
            known: of all items, false for those beyond the model.
        """
        n_own, n_factors = self.A.shape
        A = scale_items(self.A.T.tocsr(), known[:n_own].astype(np.float32)).T.tocsr()
        A.eliminate_zeros()
        indptr = np.pad(A.indptr, (0, len(known) - n_own), mode="edge")
        wider = sp.csr_array((A.data, A.indices, indptr), shape=(len(known), n_factors))
        counts = np.zeros(len(known), dtype=np.int64)
        if self.counts is not None:
            counts[:n_own] = self.counts
        return replace(self, A=wider, counts=None if self.counts is None else counts)

    @cached_property
    def _boost(self) -> Float[np.ndarray, " n_items"] | None:
        return None if self.counts is None else popularity_power(self.counts, self.beta)

    @cached_property
    def _squares(self) -> Float[np.ndarray, " n_items"]:
        return np.asarray(self.A.multiply(self.A).sum(axis=1), dtype=np.float32)


OnEpoch = Callable[[int, dict[str, float], Kept], None]


def fit_compressed_elsa(
    X: sp.csr_array,
    *,
    n_factors: int,
    n_nonzeros: int,
    n_epochs: int,
    n_stages: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    n_last_epochs: int | None = None,
    schedule: Schedule = "exponential",
    restart: bool = False,
    alpha: float = 0.0,
    beta: float = 0.0,
    patience: int | None = None,
    validation: Validation | None = None,
    on_epoch: OnEpoch | None = None,
) -> CompressedELSA:
    """Return ELSA with n_nonzeros entries for every item, trained between cuts.

    The first stage trains all factors; then the rows lose their smallest entries, are trained,
    and lose again, until n_nonzeros are left. Entries that are gone stay gone, so that a stage
    costs what its entries cost. With n_nonzeros = n_factors it is ELSA.

    Reference: Compressed ELSA (WWW 2026); loss of Vančura et al., RecSys 2022,
    doi:10.1145/3523227.3551482, in its exact linear form.

    Args:
        X: interaction weights, shape (n_users, n_items); empty rows are left out.
        n_factors: width that the first stage trains.
        n_nonzeros: entries an item keeps in the end.
        n_epochs: passes over the rows in every stage.
        n_stages: of training; see kept_entries.
        batch_size: rows per step.
        learning_rate: step size of NAdam.
        seed: start and order of the rows.
        n_last_epochs: most passes in the last stage; n_epochs by default.
        schedule: how the entries fall from stage to stage.
        restart: whether the entries that are kept begin again where they began.
        alpha: inputs are divided by popularity^alpha, see models/elsa/tempering.py.
        beta: scores are multiplied by popularity^beta.
        patience: epochs of the last stage without a better validation nDCG@100.
        validation: fold-in and target of held-out users, both (n_held_out, n_items).
        on_epoch: called after every epoch from the second stage on with its number over all
            stages (from 1), figures and the entries, which change with the next epoch.

    Raises:
        ValueError: X holds no interaction, or n_nonzeros is not from 1 to n_factors.
        ArithmeticError: the loss is not finite.
    """
    plan = kept_entries(n_factors, n_nonzeros, n_stages=n_stages, schedule=schedule)
    how = _Training(n_epochs, batch_size, learning_rate, seed, patience, alpha, beta)
    last = how._replace(n_epochs=n_epochs if n_last_epochs is None else n_last_epochs)
    asked: list[_Asked] = [(how, None)] * (len(plan) - 1) + [(last, validation)]
    model, kept = _first_stage(X, n_factors, plan[0], *asked[0])
    for stage, k in enumerate(plan[1:], start=1):
        kept = _again(kept, k, n_factors, seed if restart else None)
        model = _stage(X, kept, n_factors, stage * n_epochs, on_epoch, *asked[stage])
    return model


def kept_entries(
    n_factors: int, n_nonzeros: int, *, n_stages: int, schedule: Schedule = "exponential"
) -> list[int]:
    """Return how many entries a row has in every stage: n_factors first, n_nonzeros last.

    Exponential falls by the same factor, linear by the same number, step keeps all of them until
    the last stage.

    Raises:
        ValueError: n_nonzeros is not from 1 to n_factors, or there is no stage to cut in.
    """
    if not 1 <= n_nonzeros <= n_factors:
        raise ValueError(f"n_nonzeros must be from 1 to {n_factors}, got {n_nonzeros}")
    if n_nonzeros == n_factors:
        return [n_factors]
    if n_stages < 2:
        raise ValueError(f"n_stages must be at least 2 to cut entries, got {n_stages}")
    if schedule == "step":
        return [n_factors] * (n_stages - 1) + [n_nonzeros]
    space = np.geomspace if schedule == "exponential" else np.linspace
    return [round(each) for each in space(n_factors, n_nonzeros, n_stages).tolist()]


def largest_of_rows(A: Float[np.ndarray, "n_items n_factors"], k: int) -> Kept:
    """Return the k largest entries of every row, the row at unit length; ties by column."""
    columns = np.empty((len(A), k), np.int32)
    for first in range(0, len(A), _BLOCK):
        size = np.abs(A[first : first + _BLOCK])
        order = np.argsort(-size, axis=1, kind="stable")[:, :k]
        columns[first : first + _BLOCK] = np.sort(order, axis=1)
    values = np.take_along_axis(A, columns.astype(np.int64), axis=1)
    return Kept(columns, _unit(values))


class _Training(NamedTuple):
    n_epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    patience: int | None
    alpha: float
    beta: float


_Asked = tuple[_Training, Validation | None]  # of a stage


def _unit(values: np.ndarray) -> np.ndarray:
    norm = np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return np.ascontiguousarray(values / norm, dtype=np.float32)


def _again(kept: Kept, k: int, n_factors: int, seed: int | None) -> Kept:
    """Return the k largest of the entries, at their values, or at those they began with."""
    within = largest_of_rows(kept.values, k)
    columns = np.take_along_axis(kept.columns, within.columns.astype(np.int64), axis=1)
    if seed is None:
        return Kept(columns, within.values)
    start, _ = xavier_start(len(columns), n_factors, seed)
    return Kept(columns, _unit(np.take_along_axis(start, columns.astype(np.int64), axis=1)))


def _first_stage(
    X: sp.csr_array, n_factors: int, k: int, how: _Training, validation: Validation | None
) -> tuple[CompressedELSA, Kept]:
    """Train all factors; return the model, and the entries that the next stage cuts."""
    dense = fit_elsa(
        X, n_factors=n_factors, n_epochs=how.n_epochs, batch_size=how.batch_size,
        learning_rate=how.learning_rate, seed=how.seed, alpha=how.alpha, beta=how.beta,
        patience=how.patience, validation=validation,
    )  # fmt: skip
    A = sp.csr_array(dense.A)
    model = CompressedELSA(A, dense.counts, how.alpha, how.beta, dense.best_epoch)
    return model, largest_of_rows(dense.A, k)


def _stage(
    X: sp.csr_array, kept: Kept, n_factors: int, first: int, on_epoch: OnEpoch | None,
    how: _Training, validation: Validation | None,
) -> CompressedELSA:  # fmt: skip
    """Train the entries in place; return the best epoch's model, the last one's by default."""
    counts = np.bincount(X.indices, minlength=X.shape[1])
    rows = scale_items(X[np.flatnonzero(np.diff(X.indptr))], popularity_power(counts, -how.alpha))
    engine = KeptEngine(rows, kept, n_factors)
    best, best_metric = CompressedELSA(kept.csr(n_factors), counts, how.alpha, how.beta), -1.0
    for epoch in range(1, how.n_epochs + 1):
        order = np.random.default_rng([how.seed, first + epoch]).permutation(rows.shape[0])
        losses = engine.run_epoch(order, batch_size=how.batch_size, learning_rate=how.learning_rate)
        _check_finite(losses, kept, first + epoch)
        model = replace(best, A=kept.csr(n_factors), best_epoch=epoch)
        metrics = {"cosine": float(losses.mean())} | _validate(model, validation)
        if metrics.get("ndcg@100", np.inf) > best_metric:
            best, best_metric = model, metrics.get("ndcg@100", -1.0)
        if on_epoch is not None:
            on_epoch(first + epoch, metrics, kept)
        if how.patience is not None and epoch - best.best_epoch >= how.patience:
            break
    return best


def _validate(model: CompressedELSA, validation: Validation | None) -> dict[str, float]:
    if validation is None:
        return {}
    fold_in, target = validation
    known = np.ones(target.shape[1], bool) if model.counts is None else model.counts > 0
    values = evaluate(model, fold_in=fold_in, target=target, eligible=known)
    return {"ndcg@100": float(values["ndcg@100"].mean())}


def _check_finite(losses: np.ndarray, kept: Kept, epoch: int) -> None:
    if not np.isfinite(losses).all() or not np.isfinite(kept.values.sum()):
        raise ArithmeticError(
            f"the loss must be finite, got {losses[-1]} in epoch {epoch}: a lower learning_rate "
            "may help, and the weights of X must be finite"
        )
