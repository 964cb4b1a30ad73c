"""Aliases against ledger: the ledger decides, the aliases follow, a stranger's hand is reported."""

import logging

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from data_contracts.errors import ContractViolationError
from data_contracts.ledger import LedgerEntry

logger = logging.getLogger(__name__)
ALIASES = ("challenger", "champion", "previous")
Aliases = dict[str, str | None]  # alias -> version


def ruling(entries: list[LedgerEntry]) -> LedgerEntry | None:
    """Return the decision that the aliases show: the last one of the latest run date."""
    return sorted(entries, key=lambda entry: entry.run_date)[-1] if entries else None


def read_aliases(client: MlflowClient, name: str) -> Aliases:
    """Return the version of every alias, None where it is not set."""
    return {alias: _version(client, name, alias) for alias in ALIASES}


def reconcile(client: MlflowClient, name: str, entries: list[LedgerEntry]) -> bool:
    """Finish what a kill left between ledger and registry; return whether there was anything.

    A decision is written to the ledger first and then shown by the aliases, so after a kill
    every alias shows either the last decision or the one before it.

    Raises:
        ContractViolationError: an alias shows neither: somebody moved it.
    """
    now = ruling(entries)
    if now is None:
        return False
    shown, expected = read_aliases(client, name), _aliases(now)
    if shown == expected:
        return False
    before = _aliases(ruling(entries[:-1]))
    foreign = [alias for alias in ALIASES if shown[alias] not in (expected[alias], before[alias])]
    if foreign:
        raise ContractViolationError(_disagreement(name, foreign[0], shown, now))
    show(client, name, now)
    logger.warning("registry: aliases of %s moved to where the ledger has them", name)
    return True


def show(client: MlflowClient, name: str, entry: LedgerEntry) -> None:
    """Point challenger, champion and previous to the versions of a decision."""
    for alias, version in _aliases(entry).items():
        if version is not None:
            client.set_registered_model_alias(name, alias, version)
        elif _version(client, name, alias) is not None:
            client.delete_registered_model_alias(name, alias)


def _aliases(entry: LedgerEntry | None) -> Aliases:
    if entry is None:
        return dict.fromkeys(ALIASES)
    return {
        "challenger": entry.challenger,
        "champion": entry.champion,
        "previous": entry.previous,
    }


def _version(client: MlflowClient, name: str, alias: str) -> str | None:
    try:
        return str(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _disagreement(name: str, alias: str, shown: Aliases, entry: LedgerEntry) -> str:
    expected = _aliases(entry)[alias]
    return (
        f"the registry and the ledger disagree: alias {alias} of {name} points to version "
        f"{shown[alias]}, the decision of {entry.run_date} says {expected}. To go on with the "
        f"ledger's: hoarfrost promote --version {entry.champion} --reason '...' --force; to accept "
        f"another champion, name its version there"
    )
