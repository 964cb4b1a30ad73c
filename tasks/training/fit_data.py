"""What a fit learns from, and what stops it early."""

import logging
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from data_contracts.config import TrainingConfig
from data_contracts.model_config import ContentELSAConfig, ModelConfig
from models.content.content_space import ContentSpace
from models.elsa.elsa_content_split import ItemQuestion, draw_items, hold_out_items
from models.split.fold_in import fold_in_split, last_items_split, ratings_split

logger = logging.getLogger(__name__)


class ItemContent(NamedTuple):
    """Content of the items that a model is fitted on, and what makes that of later ones."""

    rows: np.ndarray  # (n_items, n_dimensions) float32, unit rows, zero where nothing is known
    space: ContentSpace


class ItemsHeldOut(NamedTuple):
    """Rows without some items, and what is asked of these."""

    X: sp.csr_array
    question: ItemQuestion


class FitData(NamedTuple):
    """Rows to fit, and held-out users as (fold-in, target) for early stopping.

    A model that learns with content of items is stopped by held-out items instead, and for a model
    of ratings the pair holds users' ratings that are fitted, and others of the same users.
    """

    X: sp.csr_array
    validation: tuple[sp.csr_array, sp.csr_array] | None
    content: ItemContent | None = None
    items: ItemsHeldOut | None = None

    @property
    def n_judges(self) -> int:
        """Users who stop the fit early; 0 if nobody does."""
        if self.items is not None:
            return len(self.items.question.users)
        return 0 if self.validation is None else self.validation[0].shape[0]

    @property
    def searched(self) -> "FitData":
        """The same where only the number of epochs is asked for, not the model."""
        return self if self.items is None else self._replace(X=self.items.X)


def hold_out(
    X: sp.csr_array,
    config: ModelConfig,
    training: TrainingConfig,
    *,
    fold_in_share: float,
    seed: int,
    content: ItemContent | None = None,
) -> FitData:
    """Return the rows to fit a model on, and what stops it early: users, items or ratings.

    Args:
        X: rows, shape (n_users, n_items).
        config: the model.
        training: how many users are held out, or may judge held-out items.
        fold_in_share: share of a held-out user's items that is shown.
        seed: who is held out.
        content: of the items, for a model that learns with it.
    """
    if isinstance(config, ContentELSAConfig) and content is not None:
        share, most = config.items_held_out, training.max_validation_users
        return FitData(X, None, content, _items_held_out(X, content, share, most, seed))
    if config.consumes == "ratings":
        return hold_out_ratings(X, training, seed=seed)
    ordered = config.consumes == "order"
    return hold_out_users(X, training, fold_in_share=fold_in_share, seed=seed, ordered=ordered)


def hold_out_ratings(R: sp.csr_array, training: TrainingConfig, *, seed: int) -> FitData:
    """Return the ratings to fit and others of the same users, none if R is tiny.

    Users and items whose ratings are held out keep at least one. Who judges are the users.
    """
    if not 0.0 < training.validation_share < 1.0:
        return FitData(R, None)
    rest, asked = ratings_split(R, target_share=training.validation_share, seed=seed)
    judges = np.flatnonzero(np.diff(asked.indptr))
    return FitData(rest, (rest[judges], asked[judges])) if len(judges) else FitData(R, None)


def _items_held_out(
    X: sp.csr_array, content: ItemContent, share: float, most: int, seed: int
) -> ItemsHeldOut | None:
    try:
        described = np.asarray(content.rows.any(axis=1))
        items = draw_items(X, share=share, seed=seed, among=described)
        kept, question = hold_out_items(X, items)
    except ValueError as error:  # so few that nobody can be asked
        logger.warning("no item is held out, all epochs are run: %s", error)
        return None
    if len(question.users) <= most:
        return ItemsHeldOut(kept, question)
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.choice(len(question.users), most, replace=False))
    fold_in, target = question.fold_in[drawn], question.target[drawn]
    fewer = ItemQuestion(fold_in, target, question.eligible, question.users[drawn])
    return ItemsHeldOut(kept, fewer)


def hold_out_users(
    X: sp.csr_array,
    training: TrainingConfig,
    *,
    fold_in_share: float,
    seed: int,
    ordered: bool = False,
) -> FitData:
    """Return the rows to fit and the users held out for early stopping, none if X is tiny.

    Held-out users that count as known leave what is shown of them among the rows to fit. Of
    ordered rows the last items are asked, else any.
    """
    candidates = np.flatnonzero(np.diff(X.indptr) > 1)
    n_held_out = min(
        training.max_validation_users, int(training.validation_share * len(candidates))
    )
    if n_held_out < 1:
        return FitData(X, None)
    rng = np.random.default_rng(seed)
    held_out = np.sort(rng.choice(candidates, n_held_out, replace=False))
    kept = np.setdiff1d(np.arange(X.shape[0]), held_out)
    rows, share = X[held_out], 1.0 - fold_in_share
    validation = (
        last_items_split(rows, target_share=share)
        if ordered
        else fold_in_split(rows, target_share=share, seed=seed)
    )
    if training.validation_users == "unseen":
        return FitData(X[kept], validation)
    rows = sp.csr_array(sp.vstack([X[kept], validation[0]], format="csr"))
    return FitData(rows, validation)
