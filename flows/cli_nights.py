"""The commands about many nights: run them in their order, or ask what another model had done."""

import logging
import shlex
import time
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from data_contracts.backfill import Backfill, BackfilledNight
from data_contracts.config import load_config
from data_contracts.model_file import load_model_file
from flows import display_nights
from flows.flag import DEFAULT_CONFIG, Config, Json

First = Annotated[datetime, Parameter(name="--from", help="first run date, YYYY-MM-DD")]
Last = Annotated[datetime, Parameter(name="--to", help="last run date, YYYY-MM-DD")]
Strict = Annotated[
    bool, Parameter(negative="", help="stop with exit code 5 when the gate rejects a challenger")
]


def backfill(
    *,
    first: First,
    last: Last,
    config: Config = DEFAULT_CONFIG,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Run the nights of a range in their order, each with what was known at its date.

    Nights that are done are passed over; a killed or failed backfill goes on where it stopped.

    Example: hoarfrost backfill --from 2026-09-01 --to 2026-09-28 --config shop.toml
    """
    from flows.backfill import backfill as run_nights
    from tasks.nights.backfill import days_between

    loaded, days = load_config(config), days_between(first.date(), last.date())
    logging.getLogger("flows").info("backfill: %d nights on %s", len(days), loaded.lake)
    display_nights.quiet_steps()
    done, started = list[BackfilledNight](), time.monotonic()
    problem: str | None = None
    try:
        for each in run_nights(loaded, days, strict=strict):
            done.append(each)
            if not json:
                display_nights.night(each, len(done), len(days))
    except BaseException as error:
        problem = str(error) or "stopped"
        raise
    finally:
        made = Backfill(
            nights=tuple(done),
            seconds=round(time.monotonic() - started, 2),
            problem=problem,
            go_on=_command(days[len(done) :], config, strict=strict),
        )
        display_nights.backfill(made, as_json=json)


def replay(
    *,
    model: Annotated[
        Path, Parameter(name="--model-config", help="file with [model], maybe with [training]")
    ],
    first: First,
    last: Last,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Tell what another model would have done on past nights; nothing of the lake changes.

    It meets each night's held-out users and champion; the answer also lies in state/replay.

    Example: hoarfrost replay --model-config wide.toml --from 2026-09-01 --to 2026-09-28
    """
    from tasks.nights.backfill import days_between
    from tasks.nights.replay import replay_nights

    loaded, file = load_config(config), load_model_file(model)
    days = days_between(first.date(), last.date())
    display_nights.replay(replay_nights(loaded, file, model.stem, days), as_json=json)


def _command(left: list[date], config: Path, *, strict: bool) -> str | None:
    """Return what does the nights that are left."""
    if not left:
        return None
    words = ["hoarfrost", "backfill", "--from", str(left[0]), "--to", str(left[-1])]
    words += ["--config", str(config)] * (config != DEFAULT_CONFIG) + ["--strict"] * strict
    return shlex.join(words)
