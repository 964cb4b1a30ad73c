"""What a person's decision changed."""

from typing import Literal

from data_contracts.frozen import Frozen
from data_contracts.ledger import LedgerEntry


class Decision(Frozen):
    """A promotion or a rollback, as it stands in the ledger."""

    action: Literal["promote", "rollback"]
    champion: str
    before: str  # the champion until then
    snapshot: str | None = None  # where latest points to, if it was moved
    entry: LedgerEntry
