"""Publish on a small disk that is full or read-only: what test_snapshot runs in a process.

The process has mounts of its own (unshare), so the disk is gone when it ends.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from tasks.files import StorageError, explained
from tasks.snapshot.snapshot import publish_snapshot, reading
from tests.published import publish, reads_as_one, staged

SAID = {
    "full": "must be writable, got: no space left on device; the last snapshot is untouched: free",
    "read-only": "must be writable, got: read-only file system; the last snapshot is untouched: m",
}


def mount(*arguments: object) -> None:
    """Mount something for this process only."""
    subprocess.run(["mount", *map(str, arguments)], check=True)


@contextlib.contextmanager
def full(disk: Path) -> Iterator[None]:
    """Fill a disk to the last byte."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"." * 512)
    yield
    filler.unlink()


@contextlib.contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Let nobody write to a disk."""
    mount("-o", "remount,ro", disk)
    yield
    mount("-o", "remount,rw", disk)


def main(disk: Path, trouble: str) -> None:
    """Publish one snapshot, a second one in trouble, and that one again."""
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", disk)
    publish(disk, 0)
    night = staged(disk, 1)
    table = pl.DataFrame({"user": range(1000)})
    with {"full": full, "read-only": read_only}[trouble](disk):
        try:
            publish_snapshot(*night)
        except StorageError as error:
            if str(disk) in str(error) and SAID[trouble] in str(error) and error.exit_code == 1:
                print("stopped")
        try:
            with explained(disk):
                table.write_parquet(disk / "table.parquet")
        except StorageError as error:
            if SAID[trouble] in str(error):
                print("stopped")
        with reading(disk) as (folder, manifest):
            if reads_as_one(folder, manifest) and folder.name == "2026-09-01-v1":
                print("untouched")
    if (
        publish_snapshot(*night).is_latest
        and not (disk / "state" / "staging" / "snapshot").exists()
    ):
        print("mended")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
