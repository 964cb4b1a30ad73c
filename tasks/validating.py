"""Check a night's log and keep nothing of it."""

import tempfile
from pathlib import Path

from data_contracts.answer import LogCheck
from data_contracts.errors import HoarfrostError
from data_contracts.interactions import INTERACTION_RULES
from tasks.ingest import examine, refuse, refuse_other_shards
from tasks.lake import Night
from tasks.log_files import list_log
from tasks.volume import refuse_missing_day


def validate_log(night: Night) -> LogCheck:
    """Return what ingesting the night's log would give; nothing in the lake changes.

    Raises:
        TooLittleDataError: there is no file for the run date.
        ConfigError: the number of user shards is not that of earlier nights.
    """
    listing = list_log(night)
    refuse_missing_day(night, has_files=listing.has_run_date)
    refuse_other_shards(night)
    with tempfile.TemporaryDirectory(prefix="hoarfrost-") as folder:
        found = examine(night, listing, Path(folder), key="")
    problem, exit_code = None, 0
    try:
        refuse(night, found)
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
        problem=problem,
        exit_code=exit_code,
    )
