"""The identity of a lake: drawn once, so that what belongs to another lake can be told."""

import json
import secrets
from pathlib import Path

from data_contracts.errors import ContractViolationError
from tasks.files import write_text


def lake_id_path(lake: Path) -> Path:
    """Where the identity lies."""
    return lake / "state" / "lake.json"


def lake_id(lake: Path) -> str | None:
    """Return the identity of a lake, None if it has none yet.

    Raises:
        ContractViolationError: the file is damaged.
    """
    try:
        return str(json.loads(lake_id_path(lake).read_bytes())["lake_id"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ContractViolationError(
            f"{lake_id_path(lake)} must hold the identity of the lake, got something else: bring "
            "the file back from a copy of this lake, or run: hoarfrost vocabulary --restore"
        ) from error


def ensure_lake_id(lake: Path) -> str:
    """Return the identity of a lake, drawn now if it has none yet."""
    known = lake_id(lake)
    if known is not None:
        return known
    drawn = secrets.token_hex(16)
    write_text(lake_id_path(lake), json.dumps({"lake_id": drawn}) + "\n")
    return drawn
