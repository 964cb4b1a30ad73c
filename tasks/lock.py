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

    Raises:
        LakeLockedError: another process holds it.
    """
    path = lake / "state" / "night.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise LakeLockedError(
                f"another night holds the lake {lake} (process {holder}): wait for it, or stop it"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
