"""What an installation has, lacks, and needs."""

from typing import Literal

from data_contracts.frozen import Frozen

State = Literal["ok", "advice", "problem"]


class Finding(Frozen):
    """One thing that was looked at."""

    name: str
    state: State  # advice may be left as it is, a problem keeps nights from running
    found: str
    remedy: str | None = None  # what to do


class Health(Frozen):
    """Everything that was looked at."""

    findings: tuple[Finding, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing keeps nights from running."""
        return all(each.state != "problem" for each in self.findings)
