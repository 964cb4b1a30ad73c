"""What a backfill did, night by night."""

from datetime import date

from data_contracts.frozen import Frozen
from data_contracts.manifests import Verdict


class BackfilledNight(Frozen):
    """One night of a backfill."""

    run_date: date
    verdict: Verdict
    reason: str
    champion_version: str
    snapshot: str  # folder of the tables; may have been removed since
    passed_over: bool  # it was done before
    seconds: float


class Backfill(Frozen):
    """The nights that are done, and how to go on where that is not all of them."""

    nights: tuple[BackfilledNight, ...]
    seconds: float
    problem: str | None = None  # why it ended early
    go_on: str | None = None  # the command that does the rest
