"""Reading one TOML file into one frozen value, with reasons that people understand."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from data_contracts.errors import ConfigError
from data_contracts.frozen import Frozen

C = TypeVar("C", bound=Frozen)


def read_config(path: Path, kind: type[C], *, missing: str) -> C:
    """Return what a TOML file says.

    Args:
        path: the file.
        kind: what it is parsed to.
        missing: what to do where there is no such file.

    Raises:
        ConfigError: the file is missing, is not TOML, or holds an unknown key or a bad value.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no configuration at {path}: {missing}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} must be a readable TOML file: {error}") from error
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path} is not a valid configuration\n{_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    # include_input=False: a mistyped secret must not be printed back
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in fault["loc"]) or "configuration"
        unknown = fault["type"] == "extra_forbidden"
        reason = "unknown key, remove it or mend its spelling" if unknown else fault["msg"]
        lines.append(f"  {where}: {reason}")
    return "\n".join(lines)
