"""Leases: what readers hold while they read a snapshot, so that nobody removes it under them.

A lease is a small file whose holder keeps it locked. The kernel lets the lock go when the
holder ends, however it ends, so on one machine no clock is asked. Locks of another machine
may not be seen; its lease counts until it is as old as it says. Both its time and the time
now are stamps of the file system that holds the leases; one from the future (the clock went
back) is stamped anew, so it ends at most one term late and never early.
"""

import contextlib
import fcntl
import functools
import logging
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from data_contracts.frozen import Frozen
from tasks.files import staged_path

logger = logging.getLogger(__name__)
TERM_SECONDS = 24 * 3600
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CLOCK = ".clock"


class Lease(Frozen):
    """Who reads which snapshot, and how long that counts where its lock cannot be seen."""

    snapshot_id: str
    machine: str
    pid: int
    host: str
    seconds: int


_UNKNOWN = Lease(snapshot_id="", machine="", pid=0, host="", seconds=TERM_SECONDS)


@functools.cache
def this_machine() -> str:
    """Return what names the running kernel: all that share its file locks, and no other."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text(encoding="utf-8").strip()
    return socket.gethostname()


def new_lease(snapshot_id: str, seconds: int) -> Lease:
    """Return a lease of this process."""
    return Lease(
        snapshot_id=snapshot_id, machine=this_machine(), pid=os.getpid(),
        host=socket.gethostname(), seconds=seconds,
    )  # fmt: skip


@contextmanager
def leasing(lake: Path, snapshot_id: str, *, seconds: int = TERM_SECONDS) -> Iterator[None]:
    """Hold a lease on a snapshot; a lake that cannot be written is read without one."""
    path = lease_folder(lake) / f"{snapshot_id}.{uuid.uuid4().hex}.json"
    handle = None
    try:
        handle = _take(path, new_lease(snapshot_id, seconds))
    except OSError as error:
        logger.debug("%s: read without a lease, the lake cannot be written: %s", lake, error)
    try:
        yield
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            os.close(handle)


def leased(lake: Path) -> frozenset[str]:
    """Return the ids of snapshots somebody reads; what dead readers left behind is removed."""
    return frozenset(_snapshot_of(path) for path in _live(lake))


def readers(lake: Path, snapshot_id: str) -> frozenset[str]:
    """Return what names everybody who reads a snapshot now; later readers have other names."""
    live = (path.name for path in _live(lake) if _snapshot_of(path) == snapshot_id)
    return frozenset(name.lstrip(".").removesuffix(".new") for name in live)  # also half taken


def _live(lake: Path) -> list[Path]:
    folder = lease_folder(lake)
    if not folder.is_dir():
        return []
    now = _touched(folder / _CLOCK)
    paths = [path for path in folder.iterdir() if path.name != _CLOCK]
    return [path for path in paths if _is_live(path, now)]


def lease_folder(lake: Path) -> Path:
    """Folder of all leases of a lake."""
    return lake / "state" / "leases"


def _take(path: Path, lease: Lease) -> int:
    """Return an open, locked file; it gets its name only when it is locked and whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = staged_path(path)
    handle = os.open(staged, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, lease.model_dump_json().encode())
        staged.rename(path)
    except OSError:
        os.close(handle)
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)
        raise
    return handle


def _snapshot_of(path: Path) -> str:
    return path.name.lstrip(".").partition(".")[0]


def _is_live(path: Path, now: float) -> bool:
    """Tell whether a lease counts; one that does not is removed."""
    try:
        lease, locked = _look(path)
        if locked or (lease.machine != this_machine() and _is_young(path, lease, now)):
            return True
        path.unlink()
    except FileNotFoundError:  # its reader has ended meanwhile
        return False
    logger.debug("%s: lease of a reader that ended without giving it back, removed", path)
    return False


def _look(path: Path) -> tuple[Lease, bool]:
    """Return a lease and whether its holder is seen to live."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # somebody else's: its name and age must do
        return _UNKNOWN, False
    try:
        return _read(handle), _is_locked(handle)
    finally:
        os.close(handle)


def _read(handle: int) -> Lease:
    try:
        return Lease.model_validate_json(os.pread(handle, 65_536, 0))
    except ValidationError:  # its reader was killed while writing it
        return _UNKNOWN


def _is_locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False  # the lock goes with the handle


def _is_young(path: Path, lease: Lease, now: float) -> bool:
    age = now - path.stat().st_mtime
    if age < 0:
        with contextlib.suppress(PermissionError):
            os.utime(path, (now, now))
    return age <= lease.seconds


def _touched(path: Path) -> float:
    """Return the time now as the file system sees it."""
    path.write_bytes(b"")
    path.touch()
    return path.stat().st_mtime
