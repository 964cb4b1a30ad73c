"""One line of the promotion ledger."""

from datetime import date

from data_contracts.frozen import Frozen
from data_contracts.manifests import Verdict


class LedgerEntry(Frozen):
    """One night's decision."""

    run_date: date
    challenger: str
    verdict: Verdict
    reason: str
    champion: str  # version the tables come from after the decision
    previous: str | None
