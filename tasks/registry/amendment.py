"""What a person decided after a night, told in its report."""

from pathlib import Path

from data_contracts.ledger import LedgerEntry
from data_contracts.report import NightReport

_SINCE = ". Since then "


def amended_by(report: NightReport, entry: LedgerEntry, *, shown: Path) -> NightReport:
    """Return a report as it reads after a decision; by a night's own decision it is unchanged.

    Args:
        report: of the night that the decision follows.
        entry: of the ledger.
        shown: the folder that latest points to.
    """
    if entry.action == "night":
        return report
    verdict = report.reason.partition(_SINCE)[0]
    return report.model_copy(
        update={
            "champion_version": entry.champion,
            "is_latest": shown == Path(report.snapshot).resolve(),
            "reason": f"{verdict}{_SINCE}{_told(entry)}",
        }
    )


def _told(entry: LedgerEntry) -> str:
    if entry.action == "rollback":
        what = f"champion and tables were rolled back to version {entry.champion}"
    else:
        by = "by hand, against the gate" if entry.forced else "by hand"
        what = f"version {entry.champion} was promoted {by}"
    return f"{what} ({entry.reason})" if entry.reason else what
