"""Work on the user shards of a step, a few at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tasks.progress import track

T = TypeVar("T")
_THREADS = 2  # each takes the memory of a shard


def for_every_shard(work: Callable[[int], T], n_shards: int, description: str) -> list[T]:
    """Return what the work returns for every shard, in their order; it tells of its progress.

    Args:
        work: called with the number of a shard, in a thread; compiled loops and libraries
            that let go of the interpreter run side by side.
        n_shards: number of shards.
        description: of the work, in words.
    """
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(track(threads.map(work, range(n_shards)), description, n_shards))
