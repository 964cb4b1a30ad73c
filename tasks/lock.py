"""One night at a time on a lake."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_contracts.errors import LakeLockedError


@contextmanager
def lake_lock(lake: Path) -> Iterator[None]:
    """Hold the lake's lock; the kernel lets it go when the process ends, however it ends.

    Nights and decisions by hand hold it, so of two on one lake one is told. On a file system
    shared by machines it does what that file system's flock does. Two lakes that move one
    registered model are not kept apart by it: see tasks.registry.registry_state.compare.

    Raises:
        LakeLockedError: another process holds it.
    """
    path = lake / "state" / "night.lock"
    with _held(path, f"another night holds the lake {lake}, or a promotion or rollback"):
        yield


@contextmanager
def study_lock(storage: Path) -> Iterator[None]:
    """Hold the lock of a store of searches: what runs in it is then no other process's.

    Raises:
        LakeLockedError: another process holds it.
    """
    path = storage.with_name(f"{storage.name}.lock")
    with _held(path, f"another search writes to {storage}"):
        yield


@contextmanager
def _held(path: Path, holds: str) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise LakeLockedError(f"{holds} (process {holder}): wait for it, or stop it") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
