"""The command that looks an installation over."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from data_contracts.config import load_config
from data_contracts.errors import ConfigError
from data_contracts.health import Finding, Health
from flows import display_doctor
from flows.flag import DEFAULT_CONFIG, Json


def doctor(
    *,
    config: Annotated[
        Path | None, Parameter(help="configuration of a lake; by default hoarfrost.toml if there")
    ] = None,
    json: Json = False,
) -> None:
    """Check the installation and say what to do; exit code 2 where something needed is missing.

    Looked at are Python, packages and extras, device, memory and disk; with a configuration also
    the lake, its log and catalogue, MLflow and Prefect. Nothing is changed.

    Example: hoarfrost doctor

    Example: hoarfrost doctor --config shop.toml --json
    """
    from tasks.doctor.doctor import examine

    path = config if config is not None else DEFAULT_CONFIG
    if config is None and not path.is_file():
        found = examine(None)
    else:
        try:
            loaded = load_config(path)
        except ConfigError as error:
            found = _with_problem(examine(None), path, str(error))
        else:
            found = examine(loaded, prefect_api=_prefect_api())
    display_doctor.health(found, as_json=json)
    if not found.is_well:
        sys.exit(ConfigError.exit_code)


def _with_problem(found: Health, path: Path, message: str) -> Health:
    remedy = "mend it; deploy/example.toml has every key, 'hoarfrost init' writes it"
    problem = Finding(name=f"{path}", state="problem", found=message, remedy=remedy)
    return Health(findings=(*found.findings, problem))


def _prefect_api() -> str | None:
    from prefect.settings import PREFECT_API_URL

    return PREFECT_API_URL.value()
