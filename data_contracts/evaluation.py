"""How well a model ranks on a fixed split, with everything the figures depend on."""

from typing import Any

from pydantic import Field

from data_contracts.frozen import Frozen


class Figure(Frozen):
    """A mean and its standard error."""

    mean: float
    standard_error: float | None  # none for a single user


class Histories(Frozen):
    """What judged users who are not in train had before, of the items of train."""

    n_users: int
    n_pairs: int
    n_unknown: int  # pairs passed over, of items that train has not
    n_duplicates: int  # dropped


class Evaluation(Frozen):
    """The figures of one fit on one fixed split."""

    metrics: dict[str, Figure]
    rules: dict[str, str]  # in words: recall, items, masking, ratings, choice, errors
    n_users: int  # judged
    n_users_left_out: int  # of test, without a row in train, or in the histories if there are any
    n_train_users: int
    n_items: int
    n_train_pairs: int
    n_targets: int  # asked of the judged users, those below included
    n_targets_unknown: int  # not in train: misses
    n_targets_seen: int  # had by the same user before, so never listed: misses
    n_duplicates_train: int  # dropped
    n_duplicates_test: int
    seed: int
    model: dict[str, Any]  # all of its keys, chosen ones included
    searched: dict[str, Any]  # the keys that the search chose
    n_trials: int
    study: str | None
    best_epoch: int  # epochs of the final fit
    validation_users: int
    validation_ndcg: float | None  # nDCG@100; none where nobody could be held out
    validation_rmse: float | None = None  # of a model of ratings, in place of it
    train_seconds: float  # the final fit only
    search_seconds: float  # all that chose it
    peak_memory_mb: float
    device: str
    model_digest: str  # of the fitted factors
    histories: Histories | None = Field(default=None, exclude_if=lambda value: value is None)
    """Absent, also from JSON, where the judged users are in train."""
