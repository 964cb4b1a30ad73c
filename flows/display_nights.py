"""What backfill and replay show."""

import logging
import sys

from rich.table import Table

from data_contracts.backfill import Backfill, BackfilledNight
from data_contracts.manifests import Interval
from data_contracts.replay import Replay
from flows.display import OUT, error, print_json, say


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


def replay(made: Replay, *, as_json: bool) -> None:
    """Show what another model would have done, a night a row."""
    if as_json:
        print_json(made)
        return
    nights = Table(
        "night", "users", "challenger", "champion", made.model, "over challenger",
        "over champion", "verdict then", "verdict", box=None,
    )  # fmt: skip
    for each in made.nights:
        nights.add_row(
            str(each.run_date), f"{each.n_users:,}", _mean(each.challenger), _mean(each.champion),
            _mean(each.replayed), _gain(each.over_challenger), _gain(each.over_champion),
            each.verdict_then, each.verdict,
        )  # fmt: skip
    OUT.print(nights)
    for skipped in made.skipped:
        OUT.print(f"{skipped.run_date} cannot be replayed: {skipped.reason}")
    if made.mean_over_challenger is not None:
        say(
            f"\n{made.metric}: ",
            f"{made.model} over the challengers {made.mean_over_challenger:+.4f} in the mean of "
            f"{len(made.nights)} nights, shown to be better on {made.nights_better} and worse on "
            f"{made.nights_worse}",
        )
        OUT.print(f"{made.chart}\n{made.table}", soft_wrap=True)


def _mean(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.mean:.4f}"


def _gain(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
