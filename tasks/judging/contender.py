"""A model laid over tonight's vocabulary, ready to be ranked with."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.errors import ContractViolationError
from data_contracts.model_config import Consumed, consumed_by
from models.elsa.elsa import ELSA
from models.fitted_model import (
    FittedModel,
    item_vectors,
    laid_over,
    listable_items,
    readable_items,
    topped_up,
)
from models.ranking.ranking import FactorModel, ScoreModel
from tasks.lake import Night
from tasks.registry.registry import RegisteredModel
from tasks.training.saved_model import SavedModel, read_model

logger = logging.getLogger(__name__)


class Contender(NamedTuple):
    """A model and the items it knows; unknown items of a history add nothing."""

    model: FittedModel
    known: np.ndarray  # (n_items,) bool: somebody had it in training
    counts: np.ndarray  # (n_items,) users per item in training
    listable: np.ndarray  # (n_items,) bool: it can list them; by content also unknown ones
    readable: np.ndarray  # (n_items,) bool: they tell it something of who had them
    consumes: Consumed = "weights"  # what the rows it scores hold

    def usable(self, X: sp.csr_array) -> np.ndarray:
        """Tell for every row whether it holds an item the model knows; shape (n_users,).

        An entry counts whatever its value is: a rating may be 0.
        """
        ones = np.ones(X.nnz, dtype=np.float32)
        met = sp.csr_array((ones, X.indices, X.indptr), shape=X.shape, copy=False)
        return np.asarray(met @ self.readable.astype(np.float32)) > 0

    def of(self, model: FittedModel) -> "Contender":
        """Return the same of the model with content that it did not have."""
        listable, readable = listable_items(model, self.known), readable_items(model, self.known)
        return self._replace(model=model, listable=listable, readable=readable)

    @property
    def comparable(self) -> np.ndarray:
        """Items that it may list in a judgement: known ones, as for every other model."""
        return self.known & self.listable

    @property
    def judged(self) -> FactorModel | ScoreModel:
        """What ranks all known items in a judgement: a sparse model is topped up by popularity."""
        return topped_up(self.model, self.counts)

    @property
    def vectors(self) -> np.ndarray | None:
        """Vectors of the items, unit rows for known ones; None if the model has none."""
        return item_vectors(self.model)


def from_arrays(
    A: np.ndarray, counts: np.ndarray, tempering: np.ndarray, *, n_items: int
) -> Contender:
    """Return the contender of factors over the first items of a vocabulary of n_items.

    Args:
        A: item factors, shape (n_first, n_factors).
        counts: users who had the item in training, shape (n_first,).
        tempering: the exponents alpha and beta it was trained with.
        n_items: size of the vocabulary.
    """
    alpha, beta = tempering.tolist()
    return from_model(ELSA(A, counts[: len(A)], alpha, beta), counts, n_items=n_items)


def from_model(
    model: FittedModel, counts: np.ndarray, *, n_items: int, consumes: Consumed = "weights"
) -> Contender:
    """Return the contender of a model over the first items of a vocabulary of n_items.

    Args:
        model: over n_first items.
        counts: users who had the item in training, shape (n_first,).
        n_items: size of the vocabulary.
        consumes: what the rows it scores hold.
    """
    all_counts = np.zeros(n_items, dtype=np.int64)
    all_counts[: len(counts)] = counts
    known = all_counts > 0
    laid = laid_over(model, known)
    return Contender(laid, known, all_counts, known, known, consumes).of(laid)


def from_saved(saved: SavedModel, *, n_items: int) -> Contender:
    """Return the contender of a kept model over the first items of a vocabulary of n_items."""
    consumes = consumed_by(saved.kind)
    return from_model(saved.model, saved.counts, n_items=n_items, consumes=consumes)


def from_step(night: Night, fit: str, n_items: int) -> Contender:
    """Return the contender of one of tonight's fits ("judged" or "final")."""
    return from_saved(read_model(night.step("train"), fit), n_items=n_items)


def from_registry(registered: RegisteredModel, item_ids: pl.Series, lake: Path) -> Contender:
    """Return the contender of a registered version over tonight's vocabulary.

    Raises:
        ContractViolationError: the version was trained over another vocabulary.
    """
    if registered.item_ids != item_ids.head(len(registered.item_ids)).to_list():
        raise ContractViolationError(
            f"version {registered.version} has another vocabulary than the lake {lake}: "
            "is the registry shared with another lake?"
        )
    return from_saved(registered.saved, n_items=len(item_ids))
