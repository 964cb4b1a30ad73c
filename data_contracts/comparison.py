"""Several models on one fixed split: how well they rank, how surely, and at what cost."""

from typing import Any

from data_contracts.frozen import Frozen
from data_contracts.manifests import Interval
from data_contracts.model_file import ModelFile


class CompareJob(Frozen):
    """What the process that fits one model is told."""

    name: str
    train: str
    test: str
    storage: str  # SQLite file of its search
    file: ModelFile
    key: str  # of everything its figures depend on
    items: str | None = None  # catalogue of a model that learns with content of items


class FitProblem(Frozen):
    """Why a model is not in the table."""

    kind: str  # of the error
    message: str


class ModelFit(Frozen):
    """One model that was chosen, fitted and ranked in a process of its own."""

    key: str
    model: dict[str, Any]  # all of its keys, chosen ones included
    searched: dict[str, Any]  # the keys that a search chose
    n_trials: int  # of the search, finished ones
    search_limit: float | None  # seconds after which no trial began, if any
    best_epoch: int  # epochs of the final fit; 0 for a closed form
    validation_users: int  # held out of train; 0 where nothing was left to choose
    validation_ndcg: float | None  # nDCG@100
    validation_rmse: float | None = None  # of a model of ratings, in place of it
    search_seconds: float  # all that chose the model
    train_seconds: float  # the final fit only
    rank_seconds: float  # lists of 100 for all judged users
    peak_memory_mb: float  # of the whole process: data, search, fit and lists
    model_mb: float  # the arrays of the fitted model
    lists_digest: str  # of all lists: the same for models that list the same
    device: str
    seed: int


class Difference(Frozen):
    """A model minus the reference, user by user."""

    mean: float
    low: float
    high: float
    standard_error: float | None  # none of a single user
    p_value: float  # two-sided, corrected by Holm over the models of the table


class ComparedModel(Frozen):
    """One row of the table."""

    name: str
    kind: str
    problem: str | None  # why there are no figures; none if there are
    fit: ModelFit | None
    metrics: dict[str, Interval]
    differences: dict[str, Difference]  # by metric; empty for the reference itself


class SplitFacts(Frozen):
    """The two files of the split, as every model met them."""

    train_sha256: str
    test_sha256: str
    n_train_users: int
    n_items: int
    n_train_pairs: int
    n_users: int  # judged
    n_users_left_out: int  # of test, without a row in train
    n_targets: int  # asked of the judged users, those below included
    n_targets_unknown: int  # not in train: misses
    n_targets_seen: int  # had by the same user in train: misses


class Machine(Frozen):
    """What the seconds and megabytes were measured on."""

    processor: str
    n_cores: int
    memory_gb: float
    gpu: str | None
    system: str
    versions: dict[str, str]


class Comparison(Frozen):
    """Everything a comparison tells; the table, the figure and the page are made of it."""

    about: str  # a title; further lines say more
    date: str  # YYYY-MM-DD
    command: str
    machine: Machine
    split: SplitFacts
    metric: str  # that the table is sorted by
    reference: str | None  # the model that others are compared with; none if no model is finished
    confidence: float  # of all intervals
    n_resamples: int
    rules: dict[str, str]  # in words
    models: tuple[ComparedModel, ...]  # best first, those without figures last
