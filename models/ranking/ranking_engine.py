"""The engine under every ranking: blocks of rows in order, ranked side by side by threads."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np
import torch

from models.blas_thread import workers
from models.ranking.ranking_cpu import TILE, CpuRanker, Lists
from models.ranking.ranking_rows import FactorRows, Rows, has_fast_bf16
from models.ranking.ranking_rule import Masks
from models.ranking.ranking_torch import ROWS, Prepared, TorchRanker

Block = tuple[slice, np.ndarray, np.ndarray]
Products = Literal["auto", "float32", "bfloat16"]
BUDGET = 1 << 30  # bytes
_BLOCK, _PANEL, _LEAST_PANEL = 1024, 512, 16  # rows given out, and ranked at once by a thread
_UNDER_WAY = 3  # blocks of a device
_AHEAD = 2  # panels a thread may be ahead of who takes them


class Engine(NamedTuple):
    """How lists are made; nothing here changes them."""

    block_size: int | None = None
    """Rows given out at once."""
    budget: int = BUDGET
    """Bytes that may be held beyond the arguments."""
    device: str = "cpu"
    """Torch device that makes the products of factors."""
    products: Products = "auto"
    """Precision of the products on a CPU; auto takes bfloat16 where it is faster."""
    tile: int = TILE
    """Items at once on a CPU."""


def ranked(rows: Rows, masks: Masks, *, n_rows: int, k: int, engine: Engine) -> Iterator[Block]:
    """Yield the lists of all rows, block by block.

    Args:
        rows: where scores come from.
        masks: what may be listed.
        n_rows: how many rows there are.
        k: length of a list.
        engine: how lists are made.

    Yields:
        Slice of rows; items (rows, k) int32; scores (rows, k) float32.

    Raises:
        ValueError: k or block_size is not positive, or a score is not finite.
    """
    block_size = _BLOCK if engine.block_size is None else engine.block_size
    for name, value in (("k", k), ("block_size", block_size)):
        if value < 1:
            raise ValueError(f"{name} must be positive, got {value}")
    if engine.device == "cpu" or not isinstance(rows, FactorRows):
        return _on_cpu(rows, masks, n_rows, k, engine, block_size)
    return _joined(on_device(rows, masks, n_rows, k, engine), n_rows, block_size)


def panel_size(n_items: int, k: int, *, rows: Rows, engine: Engine, n_threads: int) -> int:
    """Return how many rows a thread may rank at once within the budget, 512 at most."""
    bytes_of_row = 4 * (engine.tile + rows.n_factors) + 8 * (3 * min(k, n_items) + k)
    if not isinstance(rows, FactorRows):
        bytes_of_row += 8 * n_items  # all scores of a row, and as much to make them
    return int(np.clip(engine.budget // (2 * n_threads * bytes_of_row), 1, _PANEL))


def _on_cpu(
    rows: Rows, masks: Masks, n_rows: int, k: int, engine: Engine, block_size: int
) -> Iterator[Block]:
    n_threads = torch.get_num_threads()
    size = panel_size(rows.n_items, k, rows=rows, engine=engine, n_threads=n_threads)
    shared = -(-min(n_rows, block_size) // n_threads)  # so that a small block keeps all busy
    size = min(size, max(shared, _LEAST_PANEL))
    half = _in_bf16(rows, engine)
    ranker = CpuRanker(rows, masks, k, tile=engine.tile, half=half)
    with workers(call_torch=half) as pool:
        lists = _in_order(pool, ranker.rank, _panels(n_rows, block_size, size), n_threads)
        yield from _joined(lists, n_rows, block_size)


def on_device(
    rows: FactorRows, masks: Masks, n_rows: int, k: int, engine: Engine
) -> Iterator[tuple[slice, Lists]]:
    """Yield lists in order while threads prepare the next rows and the device works ahead.

    Args:
        rows: where scores come from.
        masks: what may be listed.
        n_rows: how many rows there are.
        k: length of a list.
        engine: how lists are made; its device may be the processor, for tests.
    """
    half = engine.products == "bfloat16"
    ranker = TorchRanker(rows, masks, k, device=engine.device, budget=engine.budget, half=half)
    with workers() as pool, ThreadPoolExecutor(1) as feeder:

        def feed(prepared: Future[Prepared]) -> Future[Lists]:
            return pool.submit(ranker.finish, ranker.propose(prepared.result()))

        waiting: deque[tuple[slice, Future[Future[Lists]]]] = deque()
        for block in _panels(n_rows, engine.block_size or n_rows, ROWS):
            prepared = pool.submit(ranker.prepare, block)
            waiting.append((block, feeder.submit(feed, prepared)))
            if len(waiting) > _UNDER_WAY:
                done, future = waiting.popleft()
                yield done, future.result().result()
        for done, future in waiting:
            yield done, future.result().result()


def _in_bf16(rows: Rows, engine: Engine) -> bool:
    if not isinstance(rows, FactorRows) or engine.products == "float32":
        return False
    fits = 2 * rows.decoder.size <= engine.budget // 2
    return engine.products == "bfloat16" or (fits and has_fast_bf16())


def _panels(n_rows: int, block_size: int, size: int) -> Iterator[slice]:
    """Yield slices of rows, none of which lies in two blocks."""
    for block in range(0, n_rows, block_size):
        end = min(block + block_size, n_rows)
        for start in range(block, end, size):
            yield slice(start, min(start + size, end))


def _in_order(
    pool: ThreadPoolExecutor,
    rank: Callable[[slice], Lists],
    panels: Iterator[slice],
    n_threads: int,
) -> Iterator[tuple[slice, Lists]]:
    waiting: deque[tuple[slice, Future[Lists]]] = deque()
    for panel in panels:
        waiting.append((panel, pool.submit(rank, panel)))
        if len(waiting) > (1 + _AHEAD) * n_threads:
            rows, future = waiting.popleft()
            yield rows, future.result()
    while waiting:
        rows, future = waiting.popleft()
        yield rows, future.result()


def _joined(lists: Iterator[tuple[slice, Lists]], n_rows: int, block_size: int) -> Iterator[Block]:
    parts: list[Lists] = []
    for rows, part in lists:
        parts.append(part)
        if rows.stop % block_size == 0 or rows.stop == n_rows:
            items, scores = (np.concatenate(each) for each in zip(*parts, strict=True))
            yield slice(rows.stop - len(items), rows.stop), items, scores
            parts = []
