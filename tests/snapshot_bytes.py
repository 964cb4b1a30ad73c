"""The published snapshot of a lake, byte for byte."""

from pathlib import Path

from tasks.files import sha256_of
from tasks.snapshot.snapshot import latest_snapshot


def snapshot_bytes(lake: Path) -> dict[str, str]:
    """Return the digest of every file of the latest snapshot, its manifest among them."""
    folder, _ = latest_snapshot(lake)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): sha256_of(path) for path in files}
