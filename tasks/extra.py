"""Packages that are installed only by those who need them."""

import importlib
from typing import Any

from data_contracts.errors import ConfigError


def require(module: str, extra: str) -> Any:
    """Return an optional module.

    Raises:
        ConfigError: it is not installed; the sentence says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"exporting to {extra} needs a package that is not installed ({error.name}): "
            f"pip install 'hoarfrost[{extra}]'"
        ) from error
