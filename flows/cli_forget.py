"""The command that forgets people."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from data_contracts.config import load_config
from data_contracts.errors import ConfigError, ContractViolationError
from flows import display_forget
from flows.flag import DEFAULT_CONFIG, Config, Json

Users = Annotated[
    Path | None,
    Parameter(help="Parquet file with the column user_id; without it the list is enforced again"),
]


def forget(
    *,
    users: Users = None,
    reason: Annotated[str, Parameter(help="why, for the ledger; no ids")] = "asked to be forgotten",
    wait: Annotated[
        float, Parameter(help="seconds that readers of the old tables are waited for")
    ] = 60.0,
    yes: Annotated[bool, Parameter(negative="", help="do not ask")] = False,
    check: Annotated[bool, Parameter(negative="", help="only look; change nothing")] = False,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Take people out of history, tables and reports, refuse their rows, and prove it by a scan.

    Cut short, the same command goes on; nights wait for it.

    Example: hoarfrost forget --users leaving.parquet --config shop.toml
    """
    from tasks.forgetting.forgetting import check_forgotten, forget_people, read_users

    loaded = load_config(config)
    ids = () if users is None else read_users(users)
    if check:
        proof = check_forgotten(loaded, ids)
        display_forget.proof(proof, as_json=json)
        if proof.found:
            sys.exit(ContractViolationError.exit_code)
        return
    if not yes:
        _ask(len(ids), loaded.lake, json=json)
    display_forget.forgetting(
        forget_people(loaded, ids, reason=reason, wait_seconds=wait), as_json=json
    )


def _ask(n_people: int, lake: str, *, json: bool) -> None:
    """Let a person confirm; nobody else can.

    Raises:
        ConfigError: nobody is there to be asked, or the answer is no.
    """
    if json or not sys.stdin.isatty():
        raise ConfigError("forgetting cannot be taken back: add --yes where nobody can be asked")
    if not display_forget.confirmed(n_people, lake):
        raise ConfigError("nobody was forgotten: the answer was no")
