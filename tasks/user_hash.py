"""How a log line or an error names a user: by a keyed hash, the same each time, never by the id.

Who holds the key and an id can find the user's lines; nobody can read an id off a line. The key
is drawn once per lake and lies in ``state``, readable by its owner alone; ``hoarfrost forget``
throws it away, so that no line from before leads to anybody any more.
"""

import hashlib
import hmac
import logging
import secrets
from pathlib import Path

from data_contracts.config import NightlyConfig
from data_contracts.environment import resolve
from data_contracts.errors import ConfigError, ContractViolationError
from data_contracts.report import NightReport
from tasks.files import sync
from tasks.private_file import create_private

logger = logging.getLogger(__name__)
_KEY_BYTES, _DIGITS = 32, 12
_SHORTEST = 16  # letters of a key that is given


def masked(config: NightlyConfig, user_id: str | int) -> str:
    """Return what stands for a user in a log line or an error: user# and 12 hex digits.

    The first 48 bits of HMAC-SHA256 (RFC 2104) of the id as text; the integer 7 and the text "7"
    are one user.

    Args:
        config: which lake, and its key where one is given.
        user_id: as in the log.

    Raises:
        ConfigError: the key that is given is not set, or too short.
        ContractViolationError: the key of the lake is damaged.
    """
    found = hmac.new(_key(config), str(user_id).encode(), hashlib.sha256)
    return f"user#{found.hexdigest()[:_DIGITS]}"


def without_ids(config: NightlyConfig, report: NightReport) -> NightReport:
    """Return a report whose examples name their users by what stands for them."""
    examples = (
        each.model_copy(update={"user_id": masked(config, each.user_id)})
        for each in report.examples
    )
    return report.model_copy(update={"examples": tuple(examples)})


def key_path(lake: Path) -> Path:
    """Where the key of a lake lies, if none is given."""
    return lake / "state" / "user_hash" / "key"


def drop_key(config: NightlyConfig) -> None:
    """Throw the key away: the next line about anybody draws another."""
    path = key_path(Path(config.lake))
    if path.exists():
        path.unlink()
        sync(path.parent)
    if config.privacy.user_hash_key is not None:
        logger.warning(
            "forget: the key of user hashes is given by the configuration "
            "(privacy.user_hash_key): change it there, else who has an id can find its old lines"
        )


def _key(config: NightlyConfig) -> bytes:
    if config.privacy.user_hash_key is None:
        return _key_of(Path(config.lake))
    given = resolve(config.privacy.user_hash_key)
    if len(given) < _SHORTEST:
        raise ConfigError(
            f"privacy.user_hash_key must have {_SHORTEST} letters or more, got {len(given)}"
        )
    return given.encode()


def _key_of(lake: Path) -> bytes:
    path = key_path(lake)
    if not path.exists():
        create_private(path, secrets.token_hex(_KEY_BYTES))
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ContractViolationError(
            f"{path} must hold a key of {_KEY_BYTES} bytes, got something else: remove it, and "
            "another is drawn"
        )
    return key
