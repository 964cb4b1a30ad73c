"""Check a night's log and keep nothing of it."""

import tempfile
from pathlib import Path

from data_contracts.answer import LogCheck
from data_contracts.errors import HoarfrostError
from data_contracts.interactions import INTERACTION_RULES
from data_contracts.table_rules import TABLE_RULES, RuleOutcome
from tasks.day_rules.table_rules import days_to_judge, outcomes_of_days, refuse_stopped
from tasks.day_rules.table_rules_events import day_events, kept_counts
from tasks.day_rules.table_rules_unstored import count_unstored
from tasks.day_rules.table_rules_waiting import leave_waiting
from tasks.day_rules.volume import good_rows, refuse_missing_day
from tasks.ingest.ingest import Examined, examine, refuse
from tasks.lake import Night
from tasks.source.log_files import earlier_ingests, list_log


def validate_log(night: Night) -> LogCheck:
    """Return what ingesting the night's log would give; nothing in the lake changes.

    Raises:
        TooLittleDataError: there is no file for the run date.
        ConfigError: the number of user shards is not that of earlier nights.
    """
    listing = leave_waiting(night, list_log(night))
    refuse_missing_day(night, has_files=listing.has_run_date)
    with tempfile.TemporaryDirectory(prefix="hoarfrost-") as folder:
        found = examine(night, listing, Path(folder), key="")
    outcomes: tuple[RuleOutcome, ...] = ()
    problem, exit_code = None, 0
    try:
        outcomes = _outcomes(night, found)
        refuse(night, found)
        refuse_stopped(outcomes)
    except HoarfrostError as error:
        problem, exit_code = str(error), error.exit_code
    return LogCheck(
        lake=str(night.lake),
        run_date=night.run_date,
        files=len(found.manifest.log_files),
        rows=found.manifest.rows,
        accepted=found.manifest.accepted,
        quarantined=found.manifest.quarantined,
        refused_files=found.manifest.refused_files,
        rules=INTERACTION_RULES,
        outcomes=outcomes,
        table_rules=TABLE_RULES,
        problem=problem,
        exit_code=exit_code,
    )


def _outcomes(night: Night, found: Examined) -> tuple[RuleOutcome, ...]:
    earlier, ingest = earlier_ingests(night), found.manifest
    days, kept = days_to_judge(night, ingest), kept_counts(night, earlier)
    if not days:  # the run date's day is refused or waits
        return ()
    counts = count_unstored(night, ingest, found.faults, days)
    events = {day: day_events(night, day, counts, kept) for day in days}
    return outcomes_of_days(night, ingest, good_rows([*earlier, ingest]), events)
