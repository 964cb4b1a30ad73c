"""Where everything lies in a lake: the only place that knows its folders."""

from datetime import date, timedelta
from pathlib import Path

from data_contracts.config import NightlyConfig
from data_contracts.frozen import Frozen


class Night(Frozen):
    """One run date on one lake, with the configuration it runs under."""

    config: NightlyConfig
    run_date: date

    @property
    def lake(self) -> Path:
        """The root of everything."""
        return Path(self.config.lake)

    @property
    def state(self) -> Path:
        """What nights hand to later nights."""
        return self.lake / "state"

    @property
    def folder(self) -> Path:
        """This night's finished steps."""
        return night_folder(self.lake, self.run_date)

    @property
    def cut(self) -> date:
        """First held-out day: training sees the days before it."""
        return self.run_date - timedelta(days=self.config.evaluation.holdout_days - 1)

    def step(self, name: str) -> Path:
        """Folder of one finished step of this night."""
        return self.folder / name


def night_folder(lake: Path, run_date: date) -> Path:
    """Folder of one night's finished steps."""
    return lake / "state" / "nights" / f"run_date={run_date}"


def lake_of(step: Path) -> Path:
    """Return the lake of a finished step, given the step's folder in its night's."""
    return step.parents[3]


def nights(lake: Path) -> list[date]:
    """Run dates that left any state behind, oldest first."""
    folders = (lake / "state" / "nights").glob("run_date=*")
    return sorted(date.fromisoformat(folder.name.removeprefix("run_date=")) for folder in folders)


def quarantine_folder(lake: Path, run_date: date) -> Path:
    """Refused rows of one night."""
    return lake / "quarantine" / f"run_date={run_date}"


def shard_name(shard: int) -> str:
    """Name of one user shard, in files and folders alike."""
    return f"shard-{shard:03d}"
