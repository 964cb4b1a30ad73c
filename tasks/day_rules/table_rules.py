"""Judge the run date's day by rules with limits: tell, set it aside, or stop the night.

The limits and what becomes of a day beyond them stand in [validation.rules]. Rows that break a
rule were set aside before, one by one (see tasks.ingest.ingest); this is about the day as a whole.
"""

import functools
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from data_contracts.errors import ContractViolationError, TooLittleDataError
from data_contracts.log_drift import LogDriftManifest
from data_contracts.manifests import IngestManifest
from data_contracts.table_rules import RuleOutcome, RulesManifest, WaitingDay
from tasks.catalogue import catalogue_fingerprint
from tasks.day_rules.table_rules_events import count_events, day_events, kept_counts
from tasks.day_rules.table_rules_outcomes import DayEvents, day_outcomes
from tasks.day_rules.table_rules_waiting import (
    SET_ASIDE,
    STEP,
    days_left_out,
    undo_ingest,
    wait_for,
)
from tasks.day_rules.volume import first_volume_day, good_rows, usual_volume
from tasks.lake import Night
from tasks.source.log_files import earlier_ingests
from tasks.steps import read_manifest, run_step

logger = logging.getLogger(__name__)
Ingests = Sequence[IngestManifest]


def judge_day(night: Night, ingest: IngestManifest) -> RulesManifest:
    """Judge the run date's day by every rule, and days that had been set aside and changed.

    Where a day is set aside or stops the night, the night's ingest is undone: asked again, it
    leaves out what was set aside, and no later night takes such a day without judging it.

    Args:
        night: its step "ingest" is finished.
        ingest: its manifest.

    Returns:
        The outcome of every rule; warnings; the days that wait from now on.

    Raises:
        TooLittleDataError: the day is smaller than a limit with the severity "stop" allows.
        ContractViolationError: the day is beyond another limit with that severity.
    """
    kept = judged_day(night)
    if kept is not None and _waits_still(kept, ingest):
        logger.info("%s: what was set aside waits, its outcome is used again", STEP)
        return kept
    earlier = earlier_ingests(night)
    volumes, counts = good_rows([*earlier, ingest]), kept_counts(night, earlier)
    first = first_volume_day(night.run_date)
    settings = {
        "rules": night.config.validation.rules.model_dump(mode="json"),
        "days": [str(day) for day in days_to_judge(night, ingest)],
        "volumes": {str(day): n for day, n in volumes.items() if day >= first},
        "catalogue": catalogue_fingerprint(night),
        "time_zone": night.config.interactions.time_zone,
    }
    work = functools.partial(_judge, night, ingest, volumes, counts)
    return run_step(
        night, STEP, RulesManifest, settings=settings, inputs=[ingest, *counts], work=work
    )


def judged_day(night: Night) -> RulesManifest | None:
    """Return what the rules said of a night's day; None where they were not asked."""
    return read_manifest(night.step(STEP), RulesManifest)


def days_to_judge(night: Night, ingest: IngestManifest) -> list[date]:
    """Return the days with files in an ingest that are judged as a whole.

    They are the run date's and those that an earlier night had left out: other days were
    judged by the nights they belong to, or came before the first of them.
    """
    days = {file.partition for file in ingest.log_files}
    return sorted(days & (days_left_out(night, min(days)) | {night.run_date})) if days else []


def outcomes_of_days(
    night: Night,
    ingest: IngestManifest,
    volumes: Counter[date],
    events: Mapping[date, DayEvents],
) -> tuple[RuleOutcome, ...]:
    """Return the outcome of every rule on some days.

    Args:
        night: the limits.
        ingest: has the files of the days.
        volumes: good rows by day.
        events: what the events of the days tell.
    """
    rules = night.config.validation.rules
    found: list[RuleOutcome] = []
    for day, each in events.items():
        files = [file for file in ingest.log_files if file.partition == day]
        usual = usual_volume(volumes, day, rules.volume)
        found += day_outcomes(rules, day, files, usual, each)
    return tuple(found)


def refuse_stopped(outcomes: Sequence[RuleOutcome]) -> None:
    """Raise the error of the outcomes that stop a night, if any does.

    Raises:
        TooLittleDataError: a day is too small, and nothing else stops the night.
        ContractViolationError: a day is beyond another limit.
    """
    stops = [each for each in outcomes if each.state == "stopped"]
    if not stops:
        return
    small = all(
        each.least is not None and each.figure is not None and each.figure < each.least
        for each in stops
    )
    kind = TooLittleDataError if small else ContractViolationError
    raise kind(
        f"{'; '.join(each.sentence for each in stops)}. Nothing is trained, the last snapshot "
        "stays as it is; mend the log, or widen the limit if the day is right"
    )


def _judge(
    night: Night,
    ingest: IngestManifest,
    volumes: Counter[date],
    counts: Sequence[LogDriftManifest],
    staging: Path,
    key: str,
) -> RulesManifest:
    days = days_to_judge(night, ingest)
    events = {}
    if days:
        found = count_events(night, ingest, days, staging)
        events = {day: day_events(night, day, found, counts) for day in days}
    outcomes = outcomes_of_days(night, ingest, volumes, events)
    warnings = tuple(each.sentence for each in outcomes if each.state == "warned")
    for warning in warnings:
        logger.warning("the log of %s: %s", night.run_date, warning)
    if any(each.state in ("stopped", "quarantined") for each in outcomes):
        undo_ingest(night)
    refuse_stopped(outcomes)
    logger.info("%s: %s", STEP, dict(Counter(each.state for each in outcomes)))
    return RulesManifest(
        step=STEP, run_date=night.run_date, key=key, outcomes=outcomes, warnings=warnings,
        waiting=_set_aside(night, ingest, outcomes),
    )  # fmt: skip


def _set_aside(
    night: Night, ingest: IngestManifest, outcomes: Sequence[RuleOutcome]
) -> tuple[WaitingDay, ...]:
    reasons: dict[date, list[str]] = {}
    for each in outcomes:
        if each.state == "quarantined":
            reasons.setdefault(each.day, []).append(each.sentence)
    for day, why in reasons.items():
        logger.warning("the day %s is set aside: %s", day, "; ".join(why))
    return tuple(
        wait_for(night, day, ingest.log_files, "; ".join(why)) for day, why in reasons.items()
    )


def _waits_still(kept: RulesManifest, ingest: IngestManifest) -> bool:
    """Tell whether an ingest has left out the very days that its night had set aside."""
    left_out = {file.path for file in ingest.refused_files if file.rule == SET_ASIDE}
    files = [path for each in kept.waiting for path in each.files]
    return bool(files) and left_out.issuperset(files)
