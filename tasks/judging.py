"""Judge challenger, champion and popularity on the same held-out interactions."""

import functools
import logging
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from data_contracts.config import NightlyConfig
from data_contracts.manifests import Interval, JudgeManifest, MatrixManifest, TrainManifest
from models.bootstrap import paired_bootstrap
from models.gate import Gain, decide
from models.metric import evaluate
from models.popularity import Popularity
from tasks import contender
from tasks.lake import Night
from tasks.ledger import read_ledger, standing_before
from tasks.matrix import load_shard
from tasks.registry import RegisteredModel, fetch_model
from tasks.steps import run_step
from tasks.twin import BadVersion, bad_versions, find_twin
from tasks.vocabulary import read_vocabulary

logger = logging.getLogger(__name__)
PerUser = dict[str, np.ndarray]  # metric -> one value per judged user
CHALLENGER, CHAMPION, POPULARITY = "challenger", "champion", "popularity"


def judge_model(night: Night, matrices: MatrixManifest, train: TrainManifest) -> JudgeManifest:
    """Return figures with intervals and the verdict on tonight's challenger."""
    config = night.config
    ledger = read_ledger(night.lake)
    standing, bad = standing_before(ledger, night.run_date), bad_versions(ledger, night.run_date)
    incumbent = None if standing is None else standing.champion
    settings = {
        "evaluation": config.evaluation.model_dump(),
        "gate": config.gate.model_dump(),
        "seed": config.seed,
        "incumbent": incumbent,
        "bad": [each._asdict() for each in bad],
    }
    work = functools.partial(_judge, night, matrices, incumbent, bad)
    inputs = [matrices, train]
    return run_step(night, "judge", JudgeManifest, settings=settings, inputs=inputs, work=work)


def _judge(
    night: Night,
    matrices: MatrixManifest,
    incumbent: str | None,
    bad: list[BadVersion],
    _staging: Path,
    key: str,
) -> JudgeManifest:
    config = night.config
    champion = None if incumbent is None else fetch_model(config, incumbent)
    fold_in, target = held_out_users(night, matrices)
    values = _score_all(night, matrices, champion, fold_in, target)
    n_users = fold_in.shape[0]
    saw_holdout = champion is not None and champion.trained_until >= night.cut
    over_popularity = _gains(values, POPULARITY, config)
    over_champion = _gains(values, CHAMPION, config) if champion is not None else {}
    primary = config.gate.primary
    champion_mean = _mean(values[CHAMPION][primary]) if champion is not None else 0.0
    verdict, reason = decide(
        metric=primary,
        n_users=n_users,
        min_users=config.gate.min_users,
        over_popularity=_gain(over_popularity[primary]),
        over_champion=_gain(over_champion[primary]) if champion is not None else None,
        tolerated_loss=config.gate.margin * champion_mean,
        champion_saw_holdout=saw_holdout,
    )
    if verdict == "promote" and (twin := _twin(night, matrices, champion, fold_in, bad)):
        verdict, reason = "hold", twin
    logger.info("judge: %s, %s", verdict, reason)
    return JudgeManifest(
        step="judge", run_date=night.run_date, key=key, verdict=verdict, reason=reason,
        n_users=n_users, incumbent_version=incumbent,
        metrics={name: _intervals(per_user, config) for name, per_user in values.items()},
        gain_over_popularity=over_popularity, gain_over_champion=over_champion,
        settings=_settings(night),
    )  # fmt: skip


def _twin(
    night: Night,
    matrices: MatrixManifest,
    champion: RegisteredModel | None,
    fold_in: sp.csr_array,
    bad: list[BadVersion],
) -> str | None:
    if not bad or champion is None:
        return None
    item_ids = read_vocabulary(night.lake)["item_id"].head(matrices.n_items)
    challenger = contender.from_step(night, "final", matrices.n_items)
    standing = contender.from_registry(champion, item_ids, night.lake)
    return find_twin(night, challenger, standing, item_ids, fold_in, bad)


def held_out_users(night: Night, matrices: MatrixManifest) -> tuple[sp.csr_array, sp.csr_array]:
    """Return fold-in and target of the judged users, both (n_judged, n_items)."""
    fold_ins, targets = [], []
    for shard in range(matrices.n_shards):
        arrays = load_shard(night.step("matrices"), shard)
        asked = np.flatnonzero(np.diff(arrays.target.indptr))
        fold_ins.append(arrays.fold_in[asked])
        targets.append(arrays.target[asked])
    fold_in = sp.csr_array(sp.vstack(fold_ins, format="csr"))
    target = sp.csr_array(sp.vstack(targets, format="csr"))
    n_users, most = fold_in.shape[0], night.config.evaluation.max_users
    if n_users > most:
        rng = np.random.default_rng(night.config.seed)
        drawn = np.sort(rng.choice(n_users, most, replace=False))
        fold_in, target = fold_in[drawn], target[drawn]
    return fold_in, target


def _score_all(
    night: Night,
    matrices: MatrixManifest,
    champion: RegisteredModel | None,
    fold_in: sp.csr_array,
    target: sp.csr_array,
) -> dict[str, PerUser]:
    challenger = contender.from_step(night, "judged", matrices.n_items)
    score = functools.partial(evaluate, fold_in=fold_in, target=target)
    values = {
        CHALLENGER: score(challenger.model, eligible=challenger.known),
        POPULARITY: score(Popularity(challenger.counts), eligible=challenger.known),
    }
    if champion is not None:
        item_ids = read_vocabulary(night.lake)["item_id"].head(matrices.n_items)
        standing = contender.from_registry(champion, item_ids, night.lake)
        values[CHAMPION] = score(standing.model, eligible=standing.known)
    return values


def _intervals(per_user: PerUser, config: NightlyConfig) -> dict[str, Interval]:
    return {name: _interval(values, config) for name, values in per_user.items()}


def _gains(values: dict[str, PerUser], against: str, config: NightlyConfig) -> dict[str, Interval]:
    mine, theirs = values[CHALLENGER], values[against]
    paired = [name for name in mine if mine[name].ndim]
    return {name: _interval(mine[name] - theirs[name], config) for name in paired}


def _interval(values: np.ndarray, config: NightlyConfig) -> Interval:
    if values.ndim == 0 or not len(values):  # a figure of all users together has no interval
        mean = float(values) if values.ndim == 0 else 0.0
        return Interval(mean=mean, low=mean, high=mean)
    mean, low, high = paired_bootstrap(
        values,
        n_resamples=config.evaluation.n_bootstrap,
        confidence=config.evaluation.confidence,
        seed=config.seed,
    )
    return Interval(mean=mean, low=low, high=high)


def _gain(interval: Interval) -> Gain:
    return Gain(interval.mean, interval.low, interval.high)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _settings(night: Night) -> dict[str, str]:
    evaluation = night.config.evaluation
    return {
        "split": f"temporal, last {evaluation.holdout_days} day(s) held out from {night.cut}",
        "new users": f"first {evaluation.fold_in_share:.0%} of their items shown, the rest asked",
        "recall rule": "hits / min(k, targets)",
        "item universe": "all items of the vocabulary",
        "seed": str(night.config.seed),
        "intervals": f"paired bootstrap, {evaluation.n_bootstrap} resamples",
        "confidence": f"{evaluation.confidence:.0%}",
    }
