"""Threads that each call a BLAS of one thread."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from threading import Lock

import torch
from threadpoolctl import ThreadpoolController

_lock = Lock()
_open: list[ExitStack] = []  # one for all who ask at the same time
_askers: list[object] = []


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS to one thread a call until the last of those who asked for it is done."""
    asker = object()
    with _lock:
        if not _askers:
            stack = ExitStack()
            stack.enter_context(_controller().limit(limits=1, user_api="blas"))
            _open.append(stack)
        _askers.append(asker)
    try:
        yield
    finally:
        with _lock:
            _askers.remove(asker)
            if not _askers:
                _open.pop().close()


@contextmanager
def workers(*, call_torch: bool = False) -> Iterator[ThreadPoolExecutor]:
    """Open as many threads as torch would use; what has not begun at the end never does.

    Args:
        call_torch: the threads compute with torch, which then takes one thread for each.
    """
    n_threads = torch.get_num_threads()
    initializer = partial(torch.set_num_threads, 1) if call_torch else None
    pool = ThreadPoolExecutor(n_threads, initializer=initializer)
    with single_threaded_blas():
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
            if call_torch:
                torch.set_num_threads(n_threads)  # threads opened later take the last one told
