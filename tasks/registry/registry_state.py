"""Aliases against ledger: the ledger decides, the aliases follow, a stranger's hand is reported."""

import logging
from typing import Literal, NamedTuple

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from data_contracts.errors import ContractViolationError
from data_contracts.ledger import LedgerEntry

logger = logging.getLogger(__name__)
ALIASES = ("challenger", "champion", "previous")
Aliases = dict[str, str | None]  # alias -> version
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def ruling(entries: list[LedgerEntry]) -> LedgerEntry | None:
    """Return the decision that the aliases show: the last one of the latest run date."""
    return sorted(entries, key=lambda entry: entry.run_date)[-1] if entries else None


def read_aliases(client: MlflowClient, name: str) -> Aliases:
    """Return the version of every alias, None where it is not set."""
    return {alias: _version(client, name, alias) for alias in ALIASES}


class Standing(NamedTuple):
    """What the aliases are, held against the ledger."""

    state: Literal["agree", "behind", "moved"]  # behind: a kill came between ledger and aliases
    sentence: str = ""  # what disagrees, and the command that mends it


def compare(shown: Aliases, name: str, entries: list[LedgerEntry]) -> Standing:
    """Hold the aliases of a registered model against the ledger of a lake.

    A decision is written to the ledger first and then shown by the aliases, one after the other
    (see show), so after a kill the first of them show it and the rest the decision before.
    Anything else was done by somebody else: a person in MLflow, or another lake that moves the
    same model. The lock of a lake keeps two nights on one lake apart, not two lakes on one
    registry.
    """
    now = ruling(entries)
    expected, before = _aliases(now), _aliases(ruling(entries[:-1]))
    if shown == expected:
        return Standing("agree")
    if now is None:
        return Standing("moved", _without_ledger(name, shown))
    cut_short = [_partly(before, expected, n_moved) for n_moved in range(len(ALIASES))]
    if shown not in cut_short:
        off = [alias for alias in ALIASES if shown[alias] != expected[alias]]
        strange = [alias for alias in off if shown[alias] != before[alias]]
        return Standing("moved", _disagreement(name, (strange or off)[0], shown, now))
    return Standing(
        "behind",
        f"the last decision is in the ledger and the aliases of {name} do not show all of it: "
        f"the next night or decision moves them, or run: {_command(now)}",
    )


def reconcile(client: MlflowClient, name: str, entries: list[LedgerEntry]) -> bool:
    """Finish what a kill left between ledger and registry; return whether there was anything.

    Raises:
        ContractViolationError: an alias is where no kill leaves it: somebody moved it; or there
            are aliases and no ledger.
    """
    standing = compare(read_aliases(client, name), name, entries)
    if standing.state == "agree":
        return False
    now = ruling(entries)
    if standing.state == "moved" or now is None:
        raise ContractViolationError(standing.sentence)
    show(client, name, now)
    logger.warning("registry: aliases of %s moved to where the ledger has them", name)
    return True


def show(client: MlflowClient, name: str, entry: LedgerEntry) -> None:
    """Point challenger, champion and previous to the versions of a decision, in this order."""
    for alias, version in _aliases(entry).items():
        if version is not None:
            client.set_registered_model_alias(name, alias, version)
        elif _version(client, name, alias) is not None:
            client.delete_registered_model_alias(name, alias)


def has_version(client: MlflowClient, name: str, version: str) -> bool:
    """Tell whether the registry has a version: somebody may have deleted it there."""
    try:
        client.get_model_version(name, version)
    except MlflowException as error:
        if error.error_code in ABSENT:
            return False
        raise
    return True


def _aliases(entry: LedgerEntry | None) -> Aliases:
    if entry is None:
        return dict.fromkeys(ALIASES)
    return {
        "challenger": entry.challenger,
        "champion": entry.champion,
        "previous": entry.previous,
    }


def _partly(before: Aliases, after: Aliases, n_moved: int) -> Aliases:
    """Return the aliases after the first so many were moved, in the order of show."""
    return before | {alias: after[alias] for alias in ALIASES[:n_moved]}


def _version(client: MlflowClient, name: str, alias: str) -> str | None:
    try:
        return str(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise


def _command(entry: LedgerEntry) -> str:
    if entry.action == "rollback":
        return f"hoarfrost rollback --to {entry.snapshot}"
    if entry.action == "promote":
        force = " --force" * entry.forced
        return f"hoarfrost promote --version {entry.champion} --reason '...'{force}"
    return f"hoarfrost run --date {entry.run_date}"


def _disagreement(name: str, alias: str, shown: Aliases, entry: LedgerEntry) -> str:
    got, expected = (
        "no version" if version is None else f"version {version}"
        for version in (shown[alias], _aliases(entry)[alias])
    )
    return (
        f"the registry and the ledger disagree: alias {alias} of {name} points to {got}, the "
        f"decision of {entry.run_date} says {expected}. To go on with the ledger's: "
        f"hoarfrost promote --version {entry.champion} --reason '...' --force; to accept "
        f"another champion, name its version there"
    )


def _without_ledger(name: str, shown: Aliases) -> str:
    found = ", ".join(f"{alias} is version {version}" for alias, version in shown.items())
    return (
        f"the registry has aliases of {name} ({found}) and the ledger of this lake has no "
        "decision: another lake moves that model, or the ledger was lost. Set registered_model "
        "in [mlflow] to a name of this lake's own, or bring state/promotions.jsonl back"
    )
