"""Register the night's model and let the verdict decide who is champion."""

import functools
import logging
from pathlib import Path

from mlflow import MlflowClient

from data_contracts.errors import GateRejectedError
from data_contracts.ledger import LedgerEntry
from data_contracts.manifests import (
    JudgeManifest,
    MatrixManifest,
    PromoteManifest,
    TrainManifest,
)
from tasks.config_digest import whole_config_digest
from tasks.judging.guards import GUARDED
from tasks.judging.judging import DECIDING
from tasks.judging.measuring import CHALLENGER
from tasks.lake import Night
from tasks.registry.ledger import append, decided_by_hand, read_ledger, standing_before
from tasks.registry.lineage import log_lineage
from tasks.registry.logged_model import logged_model_id
from tasks.registry.registry import fetch_model, register_model
from tasks.registry.registry_state import reconcile, ruling, show
from tasks.registry.tracking import connect, log_changed
from tasks.steps import content_digest, run_step

logger = logging.getLogger(__name__)


def promote_model(
    night: Night, train: TrainManifest, judge: JudgeManifest, matrices: MatrixManifest
) -> PromoteManifest:
    """Return the registry's state after tonight's decision.

    Raises:
        GateRejectedError: the challenger was rejected and there is no champion.
    """
    work = functools.partial(_promote, night, train, judge, matrices)
    by_hand = decided_by_hand(read_ledger(night.lake), night.run_date)
    settings = {
        "registry": night.config.mlflow.model_dump(),
        "by_hand": by_hand and by_hand.model_dump(mode="json"),
    }
    inputs = [train, judge, matrices]
    return run_step(night, "promote", PromoteManifest, settings=settings, inputs=inputs, work=work)


def _promote(
    night: Night,
    train: TrainManifest,
    judge: JudgeManifest,
    matrices: MatrixManifest,
    _staging: Path,
    key: str,
) -> PromoteManifest:
    client, name = connect(night.config), night.config.mlflow.registered_model
    ledger = read_ledger(night.lake)
    reconcile(client, name, ledger)
    challenger = register_model(night, train, matrices, client)
    by_hand = decided_by_hand(ledger, night.run_date)
    if by_hand is None:
        entry = _decision(night, judge, matrices, challenger, ledger)
        append(night.lake, entry)  # first the ledger, then the aliases: see reconcile
        if ruling([*ledger, entry]) == entry:
            show(client, name, entry)
        else:
            logger.info("promote: a later night has decided already, the aliases stay")
    else:
        entry = by_hand
        logger.info("promote: decided by hand (%s: %s)", entry.action, entry.reason)
    champion, previous = entry.champion, entry.previous
    _log_verdict(client, night, train.mlflow_run_id, judge, matrices, challenger)
    logger.info("promote: %s, champion is version %s (%s)", judge.verdict, champion, judge.reason)
    registered = fetch_model(night.config, champion)
    return PromoteManifest(
        step="promote", run_date=night.run_date, key=key, challenger_version=challenger,
        champion_version=champion, champion_digest=registered.digest,
        champion_run_id=registered.run_id, champion_uri=f"models:/{name}/{champion}",
        champion_kind=registered.kind,
        previous_version=previous,
    )  # fmt: skip


def _decision(
    night: Night,
    judge: JudgeManifest,
    matrices: MatrixManifest,
    challenger: str,
    ledger: list[LedgerEntry],
) -> LedgerEntry:
    champion, previous = choose_champion(judge, challenger, standing_before(ledger, night.run_date))
    return LedgerEntry(
        run_date=night.run_date, challenger=challenger, verdict=judge.verdict,
        reason=judge.reason, champion=champion, previous=previous,
        figures=_deciding(judge),
        config_digest=whole_config_digest(night),
        data_digest=content_digest(matrices)[:12],
    )  # fmt: skip


def _deciding(judge: JudgeManifest) -> dict[str, float]:
    """Return what the verdict looked at, challenger minus champion."""
    names = (judge.settings.get(DECIDING), *GUARDED)
    gains = judge.gain_over_champion
    return {name: gains[name].mean for name in names if name in gains}


def choose_champion(
    judge: JudgeManifest, challenger: str, standing: LedgerEntry | None
) -> tuple[str, str | None]:
    """Return the versions of champion and previous champion after a verdict.

    A first model that cannot be judged becomes champion: a lake without one has no tables.

    Raises:
        GateRejectedError: the challenger was rejected and there is no champion to publish from.
    """
    if standing is None:
        if judge.verdict == "reject":
            raise GateRejectedError(
                f"the challenger was rejected ({judge.reason}) and there is no champion to publish "
                "from: nothing was published"
            )
        return challenger, None
    if judge.promotes and challenger != standing.champion:
        return challenger, standing.champion
    return standing.champion, standing.previous


def _log_verdict(
    client: MlflowClient,
    night: Night,
    run_id: str,
    judge: JudgeManifest,
    matrices: MatrixManifest,
    version: str,
) -> None:
    """The run holds the figures of all models; the logged model its own, by their plain names.

    They were measured on the fit that has not seen the held-out days, also where the logged
    model is a refit on all days.
    """
    for tag, value in (("verdict", judge.verdict), ("reason", judge.reason), ("version", version)):
        client.set_tag(run_id, f"hoarfrost.{tag}", value)
    held_out = log_lineage(client, run_id, night, matrices)
    means = {
        model: {name: interval.mean for name, interval in metrics.items()}
        for model, metrics in judge.metrics.items()
    }
    compared = {f"{model}_{name}": mean for model in means for name, mean in means[model].items()}
    log_changed(client, run_id, compared, dataset=held_out)
    registered = client.get_model_version(night.config.mlflow.registered_model, version)
    mine, model_id = means.get(CHALLENGER, {}), logged_model_id(registered)
    log_changed(client, run_id, mine, model_id=model_id, dataset=held_out)
