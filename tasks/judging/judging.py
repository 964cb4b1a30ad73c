"""Judge challenger, champion and popularity on the same held-out interactions."""

import functools
import logging
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.config import NightlyConfig
from data_contracts.manifests import (
    Interval,
    JudgeManifest,
    MatrixManifest,
    TrainManifest,
    Verdict,
)
from models.split.split_result import SplitDescription
from models.statistics.gate import decide
from tasks.catalogue import catalogue_fingerprint
from tasks.judging import contender
from tasks.judging.contender import Contender
from tasks.judging.figures import Intervals, detectable, estimate_figures
from tasks.judging.guards import gain, guards
from tasks.judging.held_out import HeldOut, held_out_users, shown_to
from tasks.judging.measuring import (
    CHALLENGER,
    CHAMPION,
    POPULARITY,
    exposure,
    measure_all,
    segment_figures,
)
from tasks.lake import Night
from tasks.registry.ledger import read_ledger, standing_before
from tasks.registry.registry import RegisteredModel, fetch_model
from tasks.registry.twin import BadVersion, bad_versions, find_twin
from tasks.steps import run_step
from tasks.vocabulary.vocabulary import items_of

logger = logging.getLogger(__name__)
DECIDING = "deciding metric"
_NOTHING = Interval(mean=0.0, low=0.0, high=0.0)


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
        "catalogue": catalogue_fingerprint(night),
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
    config, primary = night.config, night.config.gate.primary
    champion = None if incumbent is None else fetch_model(config, incumbent)
    item_ids = items_of(night.lake, matrices)
    contenders = _contenders(night, champion, item_ids)
    held_out = held_out_users(night, matrices)
    ground, measured = measure_all(night, matrices, held_out, contenders, item_ids)
    figures = estimate_figures(measured, config, matrices.n_items)
    over_champion = figures.get(f"over {CHAMPION}", {})
    over_popularity = figures[f"over {POPULARITY}"]
    saw_holdout = champion is not None and champion.trained_until >= night.cut
    verdict, reason = _decide(config, figures, len(held_out.n_before), saw_holdout=saw_holdout)
    if _would_promote(verdict, config) and bad and champion is not None:
        challenger = contender.from_step(night, "final", matrices.n_items)
        standing = contenders[CHAMPION]
        shown = functools.partial(shown_to, night, matrices, held_out)
        twin = find_twin(night, challenger, standing, item_ids, held_out.fold_in, bad, shown)
        verdict, reason = ("hold", twin) if twin else (verdict, reason)
    logger.info("judge: %s, %s", verdict, reason)
    return JudgeManifest(
        step="judge", run_date=night.run_date, key=key, verdict=verdict, reason=reason,
        promotes=_would_promote(verdict, config),
        n_users=len(held_out.n_before), incumbent_version=incumbent,
        metrics={name: figures[name] for name in measured},
        gain_over_popularity=over_popularity, gain_over_champion=over_champion,
        detectable=detectable(over_champion or over_popularity, config),
        segments=segment_figures(ground, measured, primary),
        exposure=exposure(ground, measured),
        settings=_settings(night, matrices, held_out, contenders[CHALLENGER].known)
        | _beside_popularity(primary, over_popularity),
    )  # fmt: skip


def _contenders(
    night: Night, champion: RegisteredModel | None, item_ids: pl.Series
) -> dict[str, Contender]:
    found = {CHALLENGER: contender.from_step(night, "judged", len(item_ids))}
    if champion is not None:
        found[CHAMPION] = contender.from_registry(champion, item_ids, night.lake)
    return found


def _decide(
    config: NightlyConfig, figures: dict[str, Intervals], n_users: int, *, saw_holdout: bool
) -> tuple[Verdict, str]:
    gate, champion = config.gate, figures.get(CHAMPION)
    over_champion = figures.get(f"over {CHAMPION}", {})
    standing = (champion or {}).get(gate.primary, _NOTHING).mean
    verdict, reason = decide(
        metric=gate.primary,
        n_users=n_users,
        min_users=gate.min_users,
        over_popularity=gain(figures[f"over {POPULARITY}"].get(gate.primary, _NOTHING)),
        over_champion=None if champion is None else gain(over_champion.get(gate.primary, _NOTHING)),
        tolerated_loss=gate.margin * standing,
        champion_saw_holdout=saw_holdout,
        guards=guards(gate, over_champion, champion or {}),
        confidence=config.evaluation.confidence,
        power=gate.power,
    )
    if verdict == "cannot judge" and _would_promote(verdict, config):
        reason = f"{reason}; promoted all the same (gate.unjudged)"
    return verdict, reason


def _would_promote(verdict: Verdict, config: NightlyConfig) -> bool:
    return verdict == "promote" or (verdict == "cannot judge" and config.gate.unjudged == "promote")


def _beside_popularity(metric: str, over_popularity: Intervals) -> dict[str, str]:
    """Say it in words where a model is not shown to rank better than the popular list."""
    found = over_popularity.get(metric)
    if found is None or found.low > 0.0:
        return {}
    known = "worse than" if found.high < 0.0 else "not shown to be better than"
    words = f"the challenger's {metric} is {known} the popular list's: {gain(found)}"
    logger.warning("judge: %s", words)
    return {"popular list": words}


def _settings(
    night: Night, matrices: MatrixManifest, held_out: HeldOut, known: np.ndarray
) -> dict[str, str]:
    evaluation, n_all = night.config.evaluation, matrices.n_heldout_users
    unknown = int((~known[held_out.target.indices]).sum())
    description = SplitDescription(
        split=f"temporal: everything before {night.cut} is known, items first met in the "
        f"{evaluation.holdout_days} day(s) from then on are asked; new users are shown the first "
        f"{evaluation.fold_in_share:.0%} of theirs",
        leak="none",
        item_universe="all items of the vocabulary",
        seed=night.config.seed,
        n_users=len(held_out.n_before),
        n_users_without_target=matrices.n_users_without_target,
        n_targets=held_out.target.nnz,
        n_targets_unknown=unknown,
    )
    drawn = len(held_out.n_before) < n_all
    return description.words() | {
        DECIDING: night.config.gate.primary,
        "drawn": f"{len(held_out.n_before)} of {n_all} users" if drawn else "all users",
        "intervals": f"paired bootstrap, {evaluation.n_bootstrap} resamples",
        "confidence": f"{evaluation.confidence:.0%}",
        "power": f"{night.config.gate.power:.0%}, of finding the detectable differences",
    }
