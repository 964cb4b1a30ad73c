"""The command about refused rows: what they are, and what would become of them now."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from data_contracts.config import load_config
from data_contracts.errors import ConfigError
from flows import display_quarantine
from flows.flag import DEFAULT_CONFIG, Config, Day, Json


def quarantine(
    *,
    rule: Annotated[str | None, Parameter(help="the only rule to show")] = None,
    day: Annotated[Day, Parameter(name="--date", help="run date; by default all nights")] = None,
    head: Annotated[
        int, Parameter(help="rows to show as they stand in the log", validator=Number(gte=0))
    ] = 0,
    replay: Annotated[
        bool, Parameter(negative="", help="judge them again under the configuration of now")
    ] = False,
    apply: Annotated[
        bool, Parameter(negative="", help="with --replay: let in what passes, and keep it")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Count refused rows by rule, night and file; judge them again after a rule was mended.

    With --replay nothing is written; with --apply too, nights that would give something else are
    ingested again, and the next night's history holds what they accept.

    Example: hoarfrost quarantine --rule event_type_unknown --head 5
    """
    from tasks.quarantine.quarantine_replay import replay_quarantine
    from tasks.quarantine.quarantine_report import summarise_quarantine

    loaded, run_date = load_config(config), day.date() if day else None
    if apply and not replay:
        raise ConfigError("--apply is for --replay: look at that first")
    if replay and (rule is not None or head):
        raise ConfigError("--rule and --head must be left out with --replay: all rules are judged")
    if replay:
        replayed = replay_quarantine(loaded, run_date=run_date, apply=apply)
        display_quarantine.replayed(replayed, as_json=json)
        return
    summary = summarise_quarantine(Path(loaded.lake), rule=rule, run_date=run_date, head=head)
    display_quarantine.summary(summary, as_json=json)
