"""A factor model laid over tonight's vocabulary, ready to be ranked with."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.errors import ContractViolationError
from models.elsa import ELSA
from tasks.lake import Night
from tasks.logged_model import PARTS
from tasks.registry import RegisteredModel

logger = logging.getLogger(__name__)


class Contender(NamedTuple):
    """A model and the items it knows; rows of unknown items are zero, so they add nothing."""

    model: ELSA
    known: np.ndarray  # (n_items,) bool
    counts: np.ndarray  # (n_items,) users per item in training

    def usable(self, X: sp.csr_array) -> np.ndarray:
        """Tell for every row whether it holds an item the model knows; shape (n_users,)."""
        return np.asarray(X @ self.known.astype(np.float32)) > 0


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
    known = np.zeros(n_items, dtype=bool)
    known[: len(counts)] = counts > 0
    factors = np.zeros((n_items, A.shape[1]), dtype=np.float32)
    factors[: len(A)] = A * known[: len(A), None]
    all_counts = np.zeros(n_items, dtype=np.int64)
    all_counts[: len(counts)] = counts
    alpha, beta = tempering.tolist()
    return Contender(ELSA(factors, all_counts, alpha, beta), known, all_counts)


def from_step(night: Night, fit: str, n_items: int) -> Contender:
    """Return the contender of one of tonight's fits ("judged" or "final")."""
    folder = night.step("train")
    arrays = (
        np.load(folder / f"{fit}.{part}.npy", mmap_mode="r", allow_pickle=False) for part in PARTS
    )
    return from_arrays(*arrays, n_items=n_items)


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
    return from_arrays(registered.A, registered.counts, registered.tempering, n_items=len(item_ids))
