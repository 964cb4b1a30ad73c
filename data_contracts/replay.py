"""What another model would have done over nights of the past."""

from datetime import date

from data_contracts.frozen import Frozen
from data_contracts.manifests import Interval, Manifest, Verdict


class ReplayedNight(Manifest):
    """The figures of one night, all on the users that the night judged on."""

    n_users: int
    metric: str  # that decides
    challenger: Interval  # the night's own
    champion: Interval | None  # that the night met
    replayed: Interval
    over_challenger: Interval  # replayed minus challenger
    over_champion: Interval | None
    verdict_then: Verdict
    verdict: Verdict  # of the gate on the replayed model
    reason: str
    n_epochs: int
    seconds: float


class SkippedNight(Frozen):
    """A night that cannot be replayed, and why."""

    run_date: date
    reason: str


class Replay(Frozen):
    """All nights of a replay."""

    model: str  # name of its file
    digest: str  # of the model and of how it is fitted
    metric: str
    nights: tuple[ReplayedNight, ...]
    skipped: tuple[SkippedNight, ...]
    mean_over_challenger: float | None  # None where no night was replayed
    nights_better: int  # whose whole interval over the challenger lies above zero
    nights_worse: int
    chart: str | None  # SVG
    table: str | None  # this as JSON
