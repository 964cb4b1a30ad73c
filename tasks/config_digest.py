"""Digest of the configuration a night ran under."""

from tasks.files import digest
from tasks.lake import Night


def whole_config_digest(night: Night) -> str:
    """Return the digest of every setting but where lake and log lie and snapshots are copied to."""
    return digest(night.config.model_dump(mode="json", exclude={"lake", "publish", "source"}))[:12]
