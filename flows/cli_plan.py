"""The command that tells what a night will cost, before it costs anything."""

from typing import Annotated

from cyclopts import Parameter

from data_contracts.config import load_config
from flows import display_plan
from flows.flag import DEFAULT_CONFIG, Config, Day, Json, run_date


def plan(
    *,
    config: Config = DEFAULT_CONFIG,
    day: Annotated[Day, Parameter(name="--date")] = None,
    json: Json = False,
) -> None:
    """Tell what a night would read, take and leave; nothing runs and nothing is written.

    Rows come from the footers of the log, times from earlier nights where there are any.

    Example: hoarfrost plan --config shop.toml --date 2026-09-29
    """
    from tasks.lake import Night
    from tasks.planning.plan import plan_night

    loaded = load_config(config)
    night = Night(config=loaded, run_date=run_date(day, loaded))
    display_plan.plan(plan_night(night), as_json=json)
