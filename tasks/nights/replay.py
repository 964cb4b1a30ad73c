"""Judge what another model would have done over past nights, on what they were judged on.

Every night by itself: the model is fitted on the night's matrices and meets the champion that
the night met, so that it never profits from having been champion before.
"""

import functools
import logging
import math
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from data_contracts.config import NightlyConfig, TrainingConfig
from data_contracts.errors import HoarfrostError
from data_contracts.manifests import (
    IngestManifest,
    Interval,
    JudgeManifest,
    Manifest,
    MatrixManifest,
    TrainManifest,
)
from data_contracts.model_file import ModelFile
from data_contracts.replay import Replay, ReplayedNight, SkippedNight
from models.statistics.bootstrap import differences, estimate_all
from tasks.files import digest, write_text
from tasks.judging import contender
from tasks.judging.held_out import held_out_users, shown_to
from tasks.judging.judging import judge_model
from tasks.judging.measuring import CHALLENGER, CHAMPION, lay_ground, measure_contender
from tasks.lake import Night, nights
from tasks.lock import lake_lock
from tasks.nights.replay_chart import replay_chart
from tasks.nights.replay_fit import fit_replayed
from tasks.nights.replay_lake import (
    drop_rebuilt,
    model_apart,
    night_apart,
    rebuild_matrices,
    replay_lake,
)
from tasks.progress import track
from tasks.steps import is_whole, read_manifest, run_step
from tasks.training.warm_start import warm_version
from tasks.vocabulary.vocabulary import read_vocabulary

logger = logging.getLogger(__name__)
M = TypeVar("M", bound=Manifest)


class NotReplayableError(HoarfrostError):
    """What a night was judged on cannot be had again."""


class _Past(NamedTuple):
    """What a night left behind."""

    ingest: IngestManifest
    matrices: MatrixManifest
    train: TrainManifest
    judge: JudgeManifest


def replay_night(night: Night, file: ModelFile) -> ReplayedNight | SkippedNight:
    """Return what the model of a file would have done on a past night, done once and kept.

    Ledger, registry, snapshots and the night's own steps are read and stay as they are.

    Args:
        night: the lake's configuration and the run date.
        file: the model; what it does not say of seed and training is the night's. Its
            [evaluation] and [tune] are not asked: users are those of the night.
    """
    try:
        past = _past(night)
        apart = night_apart(night)
        replayed = _with_model(apart, file, night.lake)
        name = f"replay-{model_digest(night.config, file)}"
        settings = {
            "model": replayed.config.model_dump(mode="json", exclude={"lake", "mlflow"}),
            "seed": _seed(night.config, file),
            "start": warm_version(replayed),
        }
        work = functools.partial(_replay, night, replayed, past, _seed(night.config, file))
        return run_step(apart, name, ReplayedNight, settings=settings, inputs=past, work=work)
    except NotReplayableError as error:
        logger.warning("replay: %s is left out: %s", night.run_date, error)
        return SkippedNight(run_date=night.run_date, reason=str(error))


def replay_nights(
    config: NightlyConfig, file: ModelFile, name: str, days: Sequence[date]
) -> Replay:
    """Return what a model would have done on the nights of some days, a repeated call goes on.

    Args:
        config: of the lake.
        file: the model.
        name: what the model is called, such as the name of its file.
        days: run dates; those without a night are left out.

    Raises:
        HoarfrostError: the lake has no night on these days.
        LakeLockedError: another replay runs on the lake.
    """
    lake = Path(config.lake)
    known = [day for day in days if day in set(nights(lake))]
    if not known:
        raise HoarfrostError(f"no night between {days[0]} and {days[-1]} in {lake}")
    with lake_lock(replay_lake(lake)):
        outcomes = [
            replay_night(Night(config=config, run_date=day), file)
            for day in track(known, "replaying nights")
        ]
        return _summary(config, file, name, outcomes)


def model_digest(config: NightlyConfig, file: ModelFile) -> str:
    """Return what tells one replayed model from another, twelve letters of a digest."""
    training = _training(config, file)
    return digest(
        {
            "model": file.model.model_dump(mode="json"),
            "training": training.model_dump(mode="json"),
            "seed": _seed(config, file),
        }
    )[:12]


def _summary(
    config: NightlyConfig,
    file: ModelFile,
    name: str,
    outcomes: Sequence[ReplayedNight | SkippedNight],
) -> Replay:
    """Return all nights as one answer, left as JSON and SVG in the lake of replays."""
    done = tuple(each for each in outcomes if isinstance(each, ReplayedNight))
    gains = [each.over_challenger for each in done]
    stem = replay_lake(Path(config.lake)) / f"{model_digest(config, file)}"
    if done:
        stem = stem.with_name(f"{stem.name}-{done[0].run_date}-{done[-1].run_date}")
    made = Replay(
        model=name, digest=model_digest(config, file), metric=config.gate.primary,
        nights=done,
        skipped=tuple(each for each in outcomes if isinstance(each, SkippedNight)),
        mean_over_challenger=float(np.mean([each.mean for each in gains])) if gains else None,
        nights_better=sum(each.low > 0 for each in gains),
        nights_worse=sum(each.high < 0 for each in gains),
        chart=f"{stem}.svg" if done else None, table=f"{stem}.json" if done else None,
    )  # fmt: skip
    if made.chart is not None and made.table is not None:
        write_text(Path(made.chart), replay_chart(made))
        write_text(Path(made.table), made.model_dump_json(indent=2) + "\n")
    return made


def _with_model(apart: Night, file: ModelFile, lake: Path) -> Night:
    training, model = _training(apart.config, file), model_apart(file.model, lake)
    config = apart.config.model_copy(update={"model": model, "training": training})
    return apart.model_copy(update={"config": config})


def _training(config: NightlyConfig, file: ModelFile) -> TrainingConfig:
    given = file.training.model_dump(exclude_unset=True)
    return config.training.model_copy(update=given)


def _seed(config: NightlyConfig, file: ModelFile) -> int:
    return file.seed if "seed" in file.model_fields_set else config.seed


def _past(night: Night) -> _Past:
    past = _Past(
        _left(night, "ingest", IngestManifest),
        _left(night, "matrices", MatrixManifest),
        _left(night, "train", TrainManifest),
        _left(night, "judge", JudgeManifest),
    )
    for manifest in (past.ingest, past.train):
        if not is_whole(night.step(manifest.step), manifest):
            raise NotReplayableError(f"files of its step {manifest.step} are missing")
    if night.config.gate.primary not in past.judge.metrics.get(CHALLENGER, {}):
        raise NotReplayableError(f"it was not judged by {night.config.gate.primary}")
    return past


def _left(night: Night, step: str, kind: type[M]) -> M:
    found = read_manifest(night.step(step), kind)
    if found is None:
        raise NotReplayableError(f"its step {step} has left no manifest of this version")
    return found


def _replay(
    night: Night, replayed: Night, past: _Past, seed: int, _staging: Path, key: str
) -> ReplayedNight:
    started = time.monotonic()
    matrices = rebuild_matrices(night, replayed, past.ingest, past.matrices)
    if matrices is None:
        raise NotReplayableError(
            "its matrices come out otherwise now: log, [events], [history] or [evaluation] have "
            "changed since"
        )
    train = fit_replayed(replayed, matrices, seed)
    judged = judge_model(replayed, matrices, train)
    _refuse_other_ground(night, past.judge, judged)
    metric = night.config.gate.primary
    then, now = past.judge, judged.metrics
    figures = ReplayedNight(
        step="replay", run_date=night.run_date, key=key, n_users=judged.n_users, metric=metric,
        challenger=then.metrics[CHALLENGER][metric],
        champion=then.metrics.get(CHAMPION, {}).get(metric),
        replayed=now[CHALLENGER][metric],
        over_challenger=_over_challenger(night, replayed, matrices),
        over_champion=judged.gain_over_champion.get(metric),
        verdict_then=then.verdict, verdict=judged.verdict, reason=judged.reason,
        n_epochs=train.n_epochs, seconds=round(time.monotonic() - started, 2),
    )  # fmt: skip
    drop_rebuilt(replayed)
    return figures


def _refuse_other_ground(night: Night, then: JudgeManifest, now: JudgeManifest) -> None:
    if then.incumbent_version != now.incumbent_version:
        raise NotReplayableError(
            f"it met champion {then.incumbent_version}, and since a decision by hand it would "
            f"meet {now.incumbent_version}"
        )
    metric = night.config.gate.primary
    before, again = (each.metrics.get(CHAMPION, {}).get(metric) for each in (then, now))
    means = [0.0 if each is None else each.mean for each in (before, again)]
    if then.n_users != now.n_users or not math.isclose(*means, rel_tol=1e-6):
        raise NotReplayableError("its users are judged otherwise now: [evaluation] has changed")


def _over_challenger(night: Night, replayed: Night, matrices: MatrixManifest) -> Interval:
    """Return the gain over the night's challenger, both measured on the same users."""
    evaluation, metric = night.config.evaluation, str(night.config.gate.primary)
    own = contender.from_step(night, "judged", matrices.n_items)
    other = contender.from_step(replayed, "judged", matrices.n_items)
    held_out = held_out_users(replayed, matrices)
    item_ids = read_vocabulary(replayed.lake)["item_id"]
    ground = lay_ground(replayed, matrices, held_out, own, item_ids)
    mine, theirs = (
        measure_contender(
            ground, each, shown_to(replayed, matrices, held_out, each.consumes)
        ).values
        for each in (other, own)
    )
    gains = {metric: differences(mine, theirs)[metric]}
    estimates = estimate_all(
        gains, n_resamples=evaluation.n_bootstrap, confidence=evaluation.confidence,
        seed=night.config.seed,
    )  # fmt: skip
    mean, _, low, high, _ = estimates[metric]
    return Interval(mean=mean, low=low, high=high)
