"""The rows of a night with the values that a kind of model consumes: weights, ratings, an order.

Matrices hold weights. Ratings and moments are those of the history they were made of, so that
nights of models of weights neither keep nor read them.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.errors import ConfigError, HoarfrostError, TooLittleDataError
from data_contracts.interactions import day_start
from data_contracts.manifests import MatrixManifest
from data_contracts.model_config import Consumed
from models.event.pair import Pairs
from models.event.row_value import entry_places, order_in_rows, with_values
from models.event.support import with_support
from tasks.calendar import micros
from tasks.history.history_event import history_items
from tasks.history.history_shard import open_shard
from tasks.history.matrix import item_labels
from tasks.history.matrix_shard import MatrixShard, load_shard
from tasks.lake import Night
from tasks.vocabulary.vocabulary import items_of

Rows = Literal["full", "train", "fold_in"]
NO_RATINGS = (
    "a model that learns from ratings needs a log with ratings: name their column in "
    "interactions.columns.value"
)


@dataclass(frozen=True)
class RowValues:
    """Rows of a night's matrices, as one sort of models consumes them.

    Where a pair was met again in the held-out days, training and those who are judged must not
    know it: it has no rating there, and its place in the order is that of its first event.
    """

    night: Night
    matrices: MatrixManifest
    consumes: Consumed

    def of(self, shard: int, name: Rows, arrays: MatrixShard | None = None) -> sp.csr_array:
        """Return one of the matrices of a user shard; pairs without a rating have no entry.

        Args:
            shard: which.
            name: of the matrix.
            arrays: the shard, where it is open already.

        Raises:
            ConfigError: ratings are asked for, and the log has none.
            HoarfrostError: the history has other users than the matrices.
        """
        arrays = arrays or load_shard(self.night.step("matrices"), shard)
        X: sp.csr_array = getattr(arrays, name)
        if self.consumes == "weights":
            return X
        pairs, places = self._pairs(shard, arrays.users, X)
        past = self._must_not_know(arrays, name, X)
        unknown = past & (pairs.last_seen[places] >= self._cut)
        if self.consumes == "ratings":
            if pairs.value is None:
                raise ConfigError(NO_RATINGS)
            rating = pairs.value[places]
            return with_values(X, rating, np.isfinite(rating) & ~unknown)
        moment = np.where(unknown, pairs.first_seen[places], pairs.last_seen[places])
        return with_values(X, order_in_rows(X.indptr, moment), np.ones(X.nnz, bool))

    def stacked(self, name: Rows) -> sp.csr_array:
        """Return one of the matrices, all user shards together."""
        parts = [self.of(shard, name) for shard in range(self.matrices.n_shards)]
        return sp.csr_array(sp.vstack(parts, format="csr"))

    def _pairs(self, shard: int, users: pl.Series, X: sp.csr_array) -> tuple[Pairs, np.ndarray]:
        history = open_shard(self.night.step("history"), shard, self._labels)
        if not history.users.equals(users):
            raise HoarfrostError(
                f"the history of {self.night.run_date} must have the users of its matrices: "
                "run that night again"
            )
        pairs = history.pairs
        return pairs, entry_places(X, pairs.indptr, pairs.item)

    def _must_not_know(self, arrays: MatrixShard, name: Rows, X: sp.csr_array) -> np.ndarray:
        """Tell the entries that are shown as of before the cut: not those of new users."""
        has_past = arrays.n_before > 0
        rows = np.repeat(has_past, np.diff(X.indptr))
        return rows & (name != "full")

    @functools.cached_property
    def _labels(self) -> np.ndarray:
        items = history_items(self.night.step("history"))
        ids = items_of(self.night.lake, self.matrices)
        vocabulary = pl.DataFrame({"item_id": ids, "item": np.arange(len(ids), dtype=np.int32)})
        return item_labels(items, vocabulary)

    @functools.cached_property
    def _cut(self) -> int:
        return micros(day_start(self.matrices.cut, self.night.config.interactions.time_zone))


def training_rows(night: Night, matrices: MatrixManifest) -> sp.csr_array:
    """Return the users to learn from, as of before the cut, as the configured kind consumes them.

    Raises:
        ConfigError: the kind learns from ratings, and the log has none.
        TooLittleDataError: there is no event before it, or nothing has enough support.
    """
    X = RowValues(night, matrices, night.config.model.consumes).stacked("train")
    if not X.nnz:
        raise TooLittleDataError(
            f"there is nothing to train on: no event of the log lies before {matrices.cut}, the "
            "first held-out day (evaluation.holdout_days); wait for another day of log"
        )
    return _supported(night, X)


def all_rows(night: Night, matrices: MatrixManifest) -> sp.csr_array:
    """Return the users to learn from, up to the run date; see training_rows."""
    rows = RowValues(night, matrices, night.config.model.consumes)
    return _supported(night, rows.stacked("full"))


def _supported(night: Night, X: sp.csr_array) -> sp.csr_array:
    training = night.config.training
    rows = with_support(
        X,
        min_users_per_item=training.min_users_per_item,
        min_items_per_user=training.min_items_per_user,
    )
    if not rows.nnz:
        raise TooLittleDataError(
            "some items must have enough users to learn from, and some users enough items, got "
            f"none for training.min_users_per_item {training.min_users_per_item} and "
            f"min_items_per_user {training.min_items_per_user}: lower them"
        )
    return rows
