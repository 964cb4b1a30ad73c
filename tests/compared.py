"""Comparisons without a fit: what the text, the figure and the page are made of."""

from data_contracts.comparison import (
    ComparedModel,
    Comparison,
    Difference,
    Machine,
    ModelFit,
    SplitFacts,
)
from data_contracts.manifests import Interval

METRICS = ("ndcg@100", "ndcg@20", "recall@20", "plain_recall@20", "coverage@20")


def fitted(name: str, mean: float, **fit: object) -> ComparedModel:
    """Return a row with figures, the reference if the mean is .5."""
    facts = {
        "key": "k", "model": {"kind": "ease", "l2": 2.5}, "searched": {"l2": 2.5}, "n_trials": 3,
        "search_limit": None,
        "best_epoch": 0, "validation_users": 9, "validation_ndcg": 0.4, "search_seconds": 61.25,
        "train_seconds": 3.25, "rank_seconds": 0.5, "peak_memory_mb": 812.4, "model_mb": 5800.0,
        "lists_digest": "d", "device": "cpu", "seed": 42,
    }  # fmt: skip
    lost = {} if mean == 0.5 else {
        metric: Difference(mean=mean - 0.5, low=mean - 0.6, high=mean - 0.4,
                           standard_error=0.05, p_value=0.0125)
        for metric in METRICS
    }  # fmt: skip
    interval = Interval(mean=mean, low=mean - 0.1, high=mean + 0.1, n_users=50)
    return ComparedModel(
        name=name, kind="ease", problem=None, fit=ModelFit.model_validate(facts | fit),
        metrics=dict.fromkeys(METRICS, interval), differences=lost,
    )  # fmt: skip


def failed(name: str, problem: str) -> ComparedModel:
    """Return a row without figures."""
    return ComparedModel(
        name=name, kind="ials", problem=problem, fit=None, metrics={}, differences={}
    )


def comparison(*models: ComparedModel, about: str = "a split") -> Comparison:
    """Return a comparison of some rows."""
    split = SplitFacts(
        train_sha256="a", test_sha256="b", n_train_users=70, n_items=30, n_train_pairs=900,
        n_users=50, n_users_left_out=2, n_targets=120, n_targets_unknown=4, n_targets_seen=1,
    )  # fmt: skip
    machine = Machine(
        processor="a processor", n_cores=2, memory_gb=8.0, gpu=None, system="Linux",
        versions={"python": "3.11"},
    )  # fmt: skip
    return Comparison(
        about=about, date="2026-11-21", command="hoarfrost compare --train a.parquet",
        machine=machine, split=split, metric="ndcg@100",
        reference=next((each.name for each in models if each.fit), None), confidence=0.95,
        n_resamples=1000, rules={"recall": "hits / targets"}, models=models,
    )  # fmt: skip
