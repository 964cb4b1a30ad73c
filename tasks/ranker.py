"""Tonight's lists, block by block: the champion where it can, the popular list where it cannot."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from models.explanation import explain
from models.popularity import Popularity
from models.ranking import FactorModel, rank_users
from tasks.contender import Contender


class Ranked(NamedTuple):
    """Lists of one block of users; items and reasons are padded with -1."""

    items: np.ndarray  # (n_users, k) int32
    scores: np.ndarray  # (n_users, k) float32
    because: np.ndarray  # (n_users, k) int32
    share: np.ndarray  # (n_users, k) float32
    by_model: np.ndarray  # (n_users,) bool


class Ranker(NamedTuple):
    """The champion, the popular list for users it cannot serve, and what may be shown."""

    champion: Contender
    popular: Popularity
    available: np.ndarray  # (n_items,) bool
    item_ids: pl.Series
    n_top: int
    block_size: int

    @property
    def eligible(self) -> np.ndarray:
        """Items the champion may recommend; shape (n_items,)."""
        return self.champion.known & self.available

    def rank(self, X: sp.csr_array) -> Iterator[tuple[slice, Ranked]]:
        """Yield the lists of all rows of X, in order."""
        usable = self.champion.usable(X)
        for rows, items, scores in self._lists(self.champion.model, X, self.eligible):
            block, by_model = X[rows], usable[rows]
            self._fall_back(block, np.flatnonzero(~by_model), items, scores)
            modelled = np.where(by_model[:, None], items, -1)
            model = self.champion.model
            because, share = explain(model.A, model.temper(block), modelled)
            yield rows, Ranked(items, scores, because, share, by_model)

    def _fall_back(
        self, X: sp.csr_array, needy: np.ndarray, items: np.ndarray, scores: np.ndarray
    ) -> None:
        if not len(needy):
            return
        eligible = self.available & (self.popular.counts > 0)
        for rows, popular, popularity in self._lists(self.popular, X[needy], eligible):
            items[needy[rows]], scores[needy[rows]] = popular, popularity

    def _lists(
        self, model: FactorModel, X: sp.csr_array, eligible: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        return rank_users(
            model, X, seen=X, eligible=eligible, k=self.n_top, block_size=self.block_size
        )
