"""Judge challenger, champion and popularity on the same held-out interactions."""

import functools
import logging
from pathlib import Path

import numpy as np

from data_contracts.config import NightlyConfig
from data_contracts.manifests import (
    Interval,
    JudgeManifest,
    MatrixManifest,
    TrainManifest,
    Verdict,
)
from models.bootstrap import differences, estimate_all
from models.gate import decide
from models.popularity import Popularity
from models.power import detectable_difference
from models.split_result import SplitDescription
from tasks import contender
from tasks.catalogue import catalogue_fingerprint
from tasks.contender import Contender
from tasks.guards import CHANGE, gain, guards
from tasks.held_out import HeldOut, held_out_users
from tasks.lake import Night
from tasks.ledger import read_ledger, standing_before
from tasks.measuring import (
    Ground,
    Measured,
    PerUser,
    exposure,
    lay_ground,
    list_change,
    measure_model,
    segment_figures,
)
from tasks.registry import RegisteredModel, fetch_model
from tasks.steps import run_step
from tasks.twin import BadVersion, bad_versions, find_twin
from tasks.vocabulary import read_vocabulary

logger = logging.getLogger(__name__)
Intervals = dict[str, Interval]
CHALLENGER, CHAMPION, POPULARITY = "challenger", "champion", "popularity"
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
    contenders = _contenders(night, matrices, champion)
    held_out = held_out_users(night, matrices)
    ground, measured = _measure_all(night, matrices, contenders, held_out)
    figures = _estimate(measured, config, matrices.n_items)
    over_champion = figures.get(f"over {CHAMPION}", {})
    over_popularity = figures[f"over {POPULARITY}"]
    saw_holdout = champion is not None and champion.trained_until >= night.cut
    verdict, reason = _decide(config, figures, len(held_out.n_before), saw_holdout=saw_holdout)
    if _would_promote(verdict, config) and bad and champion is not None:
        item_ids = read_vocabulary(night.lake)["item_id"].head(matrices.n_items)
        challenger = contender.from_step(night, "final", matrices.n_items)
        standing = contenders[CHAMPION]
        twin = find_twin(night, challenger, standing, item_ids, held_out.fold_in, bad)
        verdict, reason = ("hold", twin) if twin else (verdict, reason)
    logger.info("judge: %s, %s", verdict, reason)
    return JudgeManifest(
        step="judge", run_date=night.run_date, key=key, verdict=verdict, reason=reason,
        promotes=_would_promote(verdict, config),
        n_users=len(held_out.n_before), incumbent_version=incumbent,
        metrics={name: figures[name] for name in measured},
        gain_over_popularity=over_popularity, gain_over_champion=over_champion,
        detectable=_detectable(over_champion or over_popularity, config),
        segments=segment_figures(ground, measured, primary),
        exposure=exposure(ground, measured),
        settings=_settings(night, matrices, held_out, contenders[CHALLENGER].known),
    )  # fmt: skip


def _contenders(
    night: Night, matrices: MatrixManifest, champion: RegisteredModel | None
) -> dict[str, Contender]:
    found = {CHALLENGER: contender.from_step(night, "judged", matrices.n_items)}
    if champion is not None:
        item_ids = read_vocabulary(night.lake)["item_id"].head(matrices.n_items)
        found[CHAMPION] = contender.from_registry(champion, item_ids, night.lake)
    return found


def _measure_all(
    night: Night, matrices: MatrixManifest, contenders: dict[str, Contender], held_out: HeldOut
) -> tuple[Ground, dict[str, Measured]]:
    challenger = contenders[CHALLENGER]
    item_ids = read_vocabulary(night.lake)["item_id"].head(matrices.n_items)
    ground = lay_ground(night, matrices, held_out, challenger, item_ids)
    popular = Popularity(challenger.counts)
    measured = {
        name: measure_model(ground, each.model, each.known, needs_history=True)
        for name, each in contenders.items()
    }
    measured[POPULARITY] = measure_model(ground, popular, challenger.known, needs_history=False)
    return ground, measured


def _estimate(
    measured: dict[str, Measured], config: NightlyConfig, n_items: int
) -> dict[str, Intervals]:
    """Return the figures of every model and of the gains, all from the same draws of users."""
    columns = {name: each.values for name, each in measured.items()}
    challenger = measured[CHALLENGER]
    for name in (each for each in measured if each != CHALLENGER):
        columns[f"over {name}"] = differences(challenger.values, measured[name].values)
    if CHAMPION in measured:
        change = list_change(challenger, measured[CHAMPION], n_items)
        columns[f"over {CHAMPION}"] |= {CHANGE: change}
    if not len(challenger.items):
        return {name: {} for name in columns}
    return _intervals(columns, config)


def _intervals(columns: dict[str, PerUser], config: NightlyConfig) -> dict[str, Intervals]:
    flat = {(name, metric): each for name in columns for metric, each in columns[name].items()}
    numbered = {str(place): values for place, values in enumerate(flat.values())}
    estimates = estimate_all(
        numbered, n_resamples=config.evaluation.n_bootstrap,
        confidence=config.evaluation.confidence, seed=config.seed,
    )  # fmt: skip
    found: dict[str, Intervals] = {name: {} for name in columns}
    for (name, metric), (mean, error, low, high, n_users) in zip(
        flat, estimates.values(), strict=True
    ):
        if n_users:
            found[name][metric] = Interval(
                mean=mean, low=low, high=high, n_users=n_users,
                standard_error=None if np.isnan(error) else error,
            )  # fmt: skip
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


def _detectable(gains: Intervals, config: NightlyConfig) -> dict[str, float]:
    confidence, power = config.evaluation.confidence, config.gate.power
    return {
        name: detectable_difference(each.standard_error, confidence=confidence, power=power)
        for name, each in gains.items()
        if each.standard_error is not None
    }


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
