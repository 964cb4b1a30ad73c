"""What backfill and replay show."""

import logging
import sys

from data_contracts.backfill import Backfill, BackfilledNight
from flows.display import OUT, error, print_json


def quiet_steps() -> None:
    """Leave the lines of the steps out on a terminal: a line per night says what came of them."""
    if sys.stderr.isatty():
        for name in ("tasks", "models"):
            logging.getLogger(name).setLevel(logging.WARNING)


def night(done: BackfilledNight, number: int, n_nights: int) -> None:
    """Show one night of a backfill."""
    took = "done before" if done.passed_over else f"{done.seconds:.1f} s"
    OUT.print(
        f"{number}/{n_nights}  {done.run_date}  {done.verdict:<12}  champion is version "
        f"{done.champion_version}, {took}"
    )


def backfill(made: Backfill, *, as_json: bool) -> None:
    """Show what came of a backfill."""
    if as_json:
        print_json(made)
    elif made.problem is None:
        passed = sum(each.passed_over for each in made.nights)
        OUT.print(
            f"{len(made.nights)} nights, {passed} of them done before, in {made.seconds:.1f} s"
        )
    if made.problem is not None and made.go_on is not None:
        error(f"{len(made.nights)} nights are done; mend what stopped it, then: {made.go_on}")
