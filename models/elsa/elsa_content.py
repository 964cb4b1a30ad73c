"""ELSA with item information: one side of B = E Dᵀ is given by content, the other is learnt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.content.content import unit_or_zero
from models.content.content_space import ContentSpace
from models.elsa.elsa_content_engine import ContentEngine, Start
from models.elsa.elsa_content_gradient import Mode, Output
from models.elsa.elsa_content_split import ItemQuestion
from models.elsa.elsa_torch import DeviceRows
from models.elsa.tempering import popularity_power
from models.item_rows import over_items
from models.metric.metric import evaluate


@dataclass(frozen=True)
class ContentELSA:
    """Fitted; scores are ``X (E Dᵀ - diag(e_i·d_i)) diag(counts^beta)``.

    In mode "decoder" D is the content: items that nobody has met yet are scored. In mode
    "encoder" E is: such items are read from a history. Either takes them without training. An
    item that nobody had counts as if as many had it as the others on average.
    """

    E: Float[np.ndarray, "n_items n_factors"]  # float32
    D: Float[np.ndarray, "n_items n_factors"]  # float32
    mode: Mode
    best_epoch: int = 0  # 0 is the start itself
    space: ContentSpace | None = None  # how content of later items is made, if anybody knows
    counts: Int[np.ndarray, " n_items"] | None = None  # users who had the item in training
    beta: float = 0.0
    consumes: ClassVar[str] = "weighted matrix and item content"

    def encode(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_factors"]:
        """Return users' factors, float32."""
        return np.asarray(X @ self.E, dtype=np.float32)

    @cached_property
    def decoder(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return D by the power of popularity: unseen items score ``encode(X) @ decoder.T``."""
        return self.D if self._power is None else self.D * self._power[:, None]

    def own(self, X: sp.csr_array) -> Float[np.ndarray, " nnz"]:
        """Return what an item of X adds to its own product, which is no part of its score."""
        own = np.einsum("ij,ij->i", self.E, self.decoder, dtype=np.float64)
        return (X.data * own[X.indices]).astype(np.float32)

    def scores(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return dense scores, for small batches; float64 products, rounded to float32."""
        S = self.encode(X).astype(np.float64) @ self.decoder.T.astype(np.float64)
        own = np.einsum("ij,ij->i", self.E, self.decoder, dtype=np.float64)
        return (S - X.toarray() * own).astype(np.float32)

    def parts(self, X: sp.csr_array) -> Iterator[Float[np.ndarray, "n_own n_factors"]]:
        """Yield for every row what each of its entries adds to encode, float64: x_j e_j."""
        for user in range(X.shape[0]):
            entries = slice(X.indptr[user], X.indptr[user + 1])
            yield self.E[X.indices[entries]] * X.data[entries].astype(np.float64)[:, None]

    @cached_property
    def vectors(self) -> Float[np.ndarray, "n_items n_factors"]:
        """Return the decoder with unit rows; products are what makes items alike."""
        return unit_or_zero(self.D)

    @property
    def readable(self) -> Bool[np.ndarray, " n_items"]:
        """Items with an encoder row; others say nothing of who had them."""
        return np.asarray(self.E.any(axis=1))

    @property
    def listable(self) -> Bool[np.ndarray, " n_items"]:
        """Items with a decoder row; others score 0 for everybody and must not be listed."""
        return np.asarray(self.D.any(axis=1))

    def append(self, content: Float[np.ndarray, "n_new n_factors"]) -> "ContentELSA":
        """Return the model with further items at the end; what it says of the others stays.

        Args:
            content: as the content it was fitted with; rows are brought to unit length.
        """
        new, none = unit_or_zero(content), np.zeros(content.shape, np.float32)
        E, D = (none, new) if self.mode == "decoder" else (new, none)
        counts = None if self.counts is None else np.pad(self.counts, (0, len(new)))
        return replace(self, E=np.vstack([self.E, E]), D=np.vstack([self.D, D]), counts=counts)

    def laid_over(self, known: Bool[np.ndarray, " n_items"]) -> "ContentELSA":
        """Return the model over at least as many items; those beyond it have rows of zeros.

        What is learnt of an item that nobody had is nothing; its content stays.

        Args:
            known: of all items, false for those beyond the model.
        """
        n_more = (0, len(known) - len(self.E))
        learnt = self.E if self.mode == "decoder" else self.D
        own = over_items(learnt, known)
        content = np.pad(self.D if self.mode == "decoder" else self.E, (n_more, (0, 0)))
        E, D = (own, content) if self.mode == "decoder" else (content, own)
        counts = None if self.counts is None else np.pad(self.counts, n_more)
        return replace(self, E=E, D=D, counts=counts)

    def with_content(
        self, items: Int[np.ndarray, " n_some"], content: Float[np.ndarray, "n_some n_factors"]
    ) -> "ContentELSA":
        """Return the model with the content of some items as it is now, where any is known.

        Args:
            items: indices of items that nobody had in training.
            content: of each, brought to unit length; a row of zeros leaves what was there.
        """
        side = (self.D if self.mode == "decoder" else self.E).copy()
        told = content.any(axis=1)
        side[items[told]] = unit_or_zero(content[told])
        return replace(self, D=side) if self.mode == "decoder" else replace(self, E=side)

    @cached_property
    def _power(self) -> Float[np.ndarray, " n_items"] | None:
        if self.counts is None or not self.beta or not self.counts.any():
            return None
        usual = self.counts[self.counts > 0].mean()
        return popularity_power(np.where(self.counts > 0, self.counts, usual), self.beta)


OnEpoch = Callable[[int, dict[str, float], ContentELSA], None]


def fit_elsa_content(
    X: sp.csr_array,
    content: Float[np.ndarray, "n_items n_factors"],
    *,
    mode: Mode,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    start: Start = "content",
    output: Output = "relu",
    unit_rows: bool = False,
    gamma: float = 0.0,
    device: str = "cpu",
    patience: int | None = None,
    validation: ItemQuestion | None = None,
    on_epoch: OnEpoch | None = None,
) -> ContentELSA:
    """Return ELSA with item information, the best epoch's weights if there is validation.

    Within few epochs interactions teach more than content alone; after that the learnt side fits
    the items of the training and no others. So validate on items that X does not hold: see
    models.elsa.elsa_content_split.

    Reference: Spišák and Vančura, Recombee, 2024 (the two modes); loss of Vančura et al.,
    RecSys 2022, doi:10.1145/3523227.3551482, with the true weight of an item for itself.

    Args:
        X: interaction weights, shape (n_users, n_items); empty rows are left out.
        content: a row for every item, brought to unit length; zero where nothing is known.
        mode: the side that content is; the other is learnt.
        n_epochs: most passes over the rows.
        batch_size: rows per step.
        learning_rate: step size of NAdam.
        seed: start and order of the rows.
        start: of the learnt side: the content, or at random.
        output: linear, in which case y is never formed, or with ReLU.
        unit_rows: whether rows of the learnt side have unit length, as ELSA's have.
        gamma: a user's loss counts as |x|^gamma, so that long histories count more.
        device: torch device.
        patience: epochs without a better validation nDCG@100 before the fit stops.
        validation: what users are asked of held-out items.
        on_epoch: called after every epoch with its number (from 1), figures and model; and with
            number 0 before them where the start is validated.

    Raises:
        ValueError: X holds no interaction, or content does not fit it.
        ArithmeticError: the loss is not finite.
    """
    filled, F = _filled_rows(X, content), unit_or_zero(content)
    rows = DeviceRows.from_csr(filled, device, _weight(filled, gamma))
    engine = ContentEngine(rows, F, mode=mode, start=start, unit_rows=unit_rows, seed=seed)
    epochs = _Epochs(n_epochs, batch_size, learning_rate, seed, patience, output)
    content_alone = validation if start == "content" else None  # epoch 0 is a candidate
    first = _model(engine.learnt, F, mode, 0)
    figures = _validate(first, content_alone)
    best_metric = figures.get("ndcg@100", -1.0)
    if figures and on_epoch is not None:
        on_epoch(0, figures, first)
    return _run(engine, first, best_metric, epochs, rows.n_users, validation, on_epoch)


class _Epochs(NamedTuple):
    n_epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    patience: int | None
    output: Output


def _run(
    engine: ContentEngine, best: ContentELSA, best_metric: float, epochs: _Epochs, n_rows: int,
    validation: ItemQuestion | None, on_epoch: OnEpoch | None,
) -> ContentELSA:  # fmt: skip
    F = best.D if best.mode == "decoder" else best.E
    for epoch in range(1, epochs.n_epochs + 1):
        order = np.random.default_rng([epochs.seed, epoch]).permutation(n_rows)
        losses = engine.run_epoch(
            order, batch_size=epochs.batch_size, learning_rate=epochs.learning_rate,
            output=epochs.output,
        )  # fmt: skip
        model = _model(engine.learnt, F, best.mode, epoch)
        _check_finite(losses, model, epoch)
        metrics = {"cosine": float(losses.mean())} | _validate(model, validation)
        if metrics.get("ndcg@100", np.inf) > best_metric:
            best, best_metric = model, metrics.get("ndcg@100", -1.0)
        if on_epoch is not None:
            on_epoch(epoch, metrics, model)
        if epochs.patience is not None and epoch - best.best_epoch >= epochs.patience:
            break
    return best


def _model(learnt: np.ndarray, F: np.ndarray, mode: Mode, epoch: int) -> ContentELSA:
    E, D = (learnt, F) if mode == "decoder" else (F, learnt)
    return ContentELSA(E, D, mode, epoch)


def _validate(model: ContentELSA, validation: ItemQuestion | None) -> dict[str, float]:
    if validation is None:
        return {}
    values = evaluate(
        model, fold_in=validation.fold_in, target=validation.target, eligible=validation.eligible
    )
    return {name: float(values[name].mean()) for name in ("ndcg@100", "recall@20")}


def _filled_rows(X: sp.csr_array, content: np.ndarray) -> sp.csr_array:
    if len(content) != X.shape[1]:
        raise ValueError(f"content must have {X.shape[1]} rows, one an item, got {len(content)}")
    if not np.isfinite(content).all():
        raise ValueError("content must be finite, got nan or inf")
    filled = np.flatnonzero(np.diff(X.indptr))
    if not len(filled):
        raise ValueError(f"X must hold an interaction, got shape {X.shape} without any")
    return sp.csr_array(X[filled].astype(np.float32))


def _weight(X: sp.csr_array, gamma: float) -> np.ndarray:
    """Return |x|^gamma of every row, 1 on average, float32."""
    squares = np.add.reduceat(np.square(X.data, dtype=np.float64), X.indptr[:-1])
    weight = np.asarray(squares ** (0.5 * gamma))
    return (weight / weight.mean()).astype(np.float32)


def _check_finite(losses: np.ndarray, model: ContentELSA, epoch: int) -> None:
    learnt = model.E if model.mode == "decoder" else model.D
    if not np.isfinite(losses).all() or not np.isfinite(learnt.sum()):
        raise ArithmeticError(
            f"the loss must be finite, got {losses[-1]} in epoch {epoch}: a lower learning_rate "
            "may help, and the weights of X must be finite"
        )
