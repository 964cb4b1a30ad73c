"""Secrets: ``${NAME}`` in a configured string, resolved only where it is used.

The configuration keeps the reference, so that neither a flow parameter, a log line nor a
manifest ever holds the secret itself. ``$${`` stands for a literal ``${``.
"""

import os
import re

from data_contracts.errors import ConfigError

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[^}]*)\}")


def resolve(template: str) -> str:
    """Return the template with every ``${NAME}`` replaced from the environment.

    Raises:
        ConfigError: a named variable is not set.
    """
    return _REFERENCE.sub(_value, template)


def _value(match: re.Match[str]) -> str:
    name = match["name"]
    if name is None:
        return "${"
    if name not in os.environ:
        raise ConfigError(
            f"environment variable {name} must be set: the configuration refers to it"
        )
    return os.environ[name]
