"""The commands of model owners: promote a version by hand, or go back to an earlier one."""

from typing import Annotated

from cyclopts import Parameter

from data_contracts.config import load_config
from flows import display_registry
from flows.flag import DEFAULT_CONFIG, Config, Json

Reason = Annotated[str, Parameter(help="why, for the ledger")]


def promote(
    *,
    version: Annotated[str, Parameter(help="of the registered model")],
    reason: Reason,
    force: Annotated[
        bool, Parameter(negative="", help="against the gate, or over aliases somebody moved")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Make a version champion; it must have passed the gate, or --force says that you know better.

    Example: hoarfrost promote --version 7 --reason "wins the online test" --force
    """
    from tasks.registry.decision import promote_version

    decision = promote_version(load_config(config), version, reason, force=force)
    display_registry.decision(decision, as_json=json)


def rollback(
    *,
    to: Annotated[
        str | None,
        Parameter(help="version or snapshot; by default the newest of a version not marked bad"),
    ] = None,
    reason: Reason = "rolled back by hand",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Point the champion and the published tables back together; nights do not undo it.

    Example: hoarfrost rollback --reason "lists of one genre only"
    """
    from tasks.registry.decision import roll_back

    decision = roll_back(load_config(config), to, reason)
    display_registry.decision(decision, as_json=json)
