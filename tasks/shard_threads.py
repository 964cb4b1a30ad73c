"""Work on the user shards of a step, a few at a time."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tasks.progress import track

S = TypeVar("S")
T = TypeVar("T")
_THREADS = 2  # each takes the memory of a shard


def in_two_steps(
    first: Callable[[int], S], then: Callable[[int, S], T], n_shards: int, description: str
) -> list[T]:
    """Return what the second step makes of the first one's results, for every shard in order.

    Args:
        first: called with the number of a shard, one after the other.
        then: called with the number and what the first step returned, in a thread, while the
            first step is at the next shard.
        n_shards: number of shards.
        description: of the work, in words.
    """
    done: list[T] = []
    with ThreadPoolExecutor(1) as thread:
        running: Future[T] | None = None
        for shard in track(range(n_shards), description):
            begun = first(shard)
            if running is not None:
                done.append(running.result())
            running = thread.submit(then, shard, begun)
        if running is not None:
            done.append(running.result())
    return done


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
