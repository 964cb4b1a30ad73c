"""The command line: parse, call, show, and end with an exit code that scripts can use."""

import logging
import os
import sys
from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from data_contracts.config import NightlyConfig, load_config
from data_contracts.errors import ConfigError, ContractViolationError, HoarfrostError
from flows import display, display_registry
from flows.cli_compare import compare
from flows.cli_doctor import doctor
from flows.cli_forget import forget
from flows.cli_import import import_log
from flows.cli_model import evaluate, tune
from flows.cli_nights import backfill, replay
from flows.cli_plan import plan
from flows.cli_quarantine import quarantine
from flows.cli_registry import promote, rollback
from flows.cli_tables import export, query, why
from flows.cli_vocabulary import vocabulary
from flows.flag import DEFAULT_CONFIG, Config, Day, Json, run_date

QUIET = {  # no telemetry; our own log lines in place of Prefect's, also in the Prefect UI
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # it tells of every table it makes
    "PREFECT_LOGGING_EXTRA_LOGGERS": "tasks,models",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # a busy machine takes longer
}
PATIENCE = {  # of a look at the registry; a night waits longer
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
EXIT_CODES = (
    "Exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 contract broken, "
    "4 too little data, 5 gate rejected, 6 another night or decision holds the lock."
)
app = App(
    name="hoarfrost",
    help="Recommendations that form overnight: Parquet logs in, Parquet tables out by morning.",
    help_epilogue=EXIT_CODES,
    suppress_keyboard_interrupt=False,
)
Strict = Annotated[
    bool,
    Parameter(negative="", help="end with exit code 5 when the gate rejects the challenger"),
]
app.command(backfill)
app.command(replay)
app.command(plan)
app.command(query)
app.command(export)
app.command(why)
app.command(import_log, name="import")
app.command(quarantine)
app.command(evaluate)
app.command(tune)
app.command(compare)
app.command(promote)
app.command(rollback)
app.command(forget)
app.command(vocabulary)
app.command(doctor)


@app.command
def init(path: Path = DEFAULT_CONFIG) -> None:
    """Write a commented configuration with every key and its default.

    Example: hoarfrost init shop.toml
    """
    from data_contracts.config_text import config_text
    from tasks.files import write_text

    if path.exists():
        raise ConfigError(f"{path} exists already: name another file, or move it away")
    write_text(path, config_text())
    print(f"Wrote {path}. Set 'lake', the column names and the events, then: hoarfrost validate")


@app.command
def demo(
    lake: Path = Path("lake"),
    *,
    day: Annotated[Day, Parameter(name="--date")] = None,
    json: Json = False,
) -> None:
    """Make a sample lake (a shop with planted faults), run one whole night, show the lists.

    Example: hoarfrost demo, then: hoarfrost run --config lake/hoarfrost.toml --date 2026-09-29
    """
    from tasks.sample.sample_lake import write_sample_lake

    sample = write_sample_lake(lake, seed=42)
    config = load_config(lake / DEFAULT_CONFIG)
    _night(config, day.date() if day else sample.run_date, strict=False, json=json)


@app.command
def run(
    *,
    config: Config = DEFAULT_CONFIG,
    day: Annotated[Day, Parameter(name="--date")] = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Run one night; a killed or repeated night goes on from its last finished step.

    Example: hoarfrost run --config shop.toml --date 2026-09-29 --strict
    """
    loaded = load_config(config)
    _night(loaded, run_date(day, loaded), strict=strict, json=json)


@app.command
def validate(
    *,
    config: Config = DEFAULT_CONFIG,
    day: Annotated[Day, Parameter(name="--date")] = None,
    json: Json = False,
) -> None:
    """Check the configuration and a night's log; nothing is written and nothing is trained.

    Example: hoarfrost validate --config shop.toml --date 2026-09-29
    """
    from tasks.ingest.validating import validate_log
    from tasks.lake import Night

    loaded = load_config(config)
    night = Night(config=loaded, run_date=run_date(day, loaded))
    check = validate_log(night)
    display.validation(check, as_json=json)
    sys.exit(check.exit_code)


@app.command
def status(*, config: Config = DEFAULT_CONFIG, json: Json = False) -> None:
    """Show nights, snapshots, registry and ledger; exit code 3 where they disagree.

    Example: hoarfrost status --json
    """
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    from tasks.answers.status import lake_status

    found = lake_status(load_config(config))
    display_registry.status(found, as_json=json)
    if found.problems:
        sys.exit(ContractViolationError.exit_code)


def _night(config: NightlyConfig, day: date, *, strict: bool, json: bool) -> None:
    logging.getLogger("flows").info("night of %s on %s: starting Prefect", day, config.lake)
    from flows.nightly import nightly  # Prefect reads its settings on import

    report = nightly(config, day, strict)
    if not sys.stdout.isatty():  # what nobody looks at ends in a log
        from tasks.user_hash import without_ids

        report = without_ids(config, report)
    display.report(report, as_json=json)


def main() -> None:
    """Run the command line; every known failure ends in a sentence and its exit code."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    display.start_logging()
    try:
        app(exit_on_error=False, print_error=True)
    except HoarfrostError as error:
        display.error(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        display.error("stopped; the same command goes on from the last finished step")
        sys.exit(130)
    except Exception as error:  # the last line of defence: say what to send us
        if type(error).__module__.startswith("cyclopts"):
            sys.exit(ConfigError.exit_code)
        from tasks.plain_error import hide_values

        shown = hide_values(error)
        logging.getLogger(__name__).debug("unexpected error", exc_info=shown)
        display.error(f"unexpected {type(error).__name__}: {shown}")
        sys.exit(1)
