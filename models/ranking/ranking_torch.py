"""Lists on a torch device: it proposes candidates, and the processor scores them again.

Blocks go through three stages that overlap: threads encode rows and lay out what is hidden, one
thread feeds the device, threads finish what came back. Rows for which the device's candidates are
not proven to hold the list (ties beyond them, allow lists) are ranked on the processor.
"""

import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from models.ranking.ranking_cpu import CpuRanker, Lists, best_first
from models.ranking.ranking_rows import Batch, FactorRows
from models.ranking.ranking_rule import Masks
from models.ranking.selection import Entries, Kept, Rules, finish
from models.ranking.selection_key import EMPTY, encoded

logger = logging.getLogger(__name__)
_ROOM = 32  # candidates beyond twice k
ROWS = 8192  # at once
_BYTES_OF_SCORE = 16  # itself, its magnitude or mask, and what topk needs
_DOUBTFUL = 0.1  # of a block; above, all of it is ranked on the processor
_PRECISION = {"highest": "float32", "high": "tfloat32", "medium": "bfloat16"}


class Prepared(NamedTuple):
    """A block that is ready for the device."""

    rows: slice
    batch: Batch
    rules: Rules


class Proposed(NamedTuple):
    """Candidates of a block, on their way to main memory."""

    block: Prepared
    items: Tensor  # (rows, n_candidates) int32
    scores: Tensor  # (rows, n_candidates) float32, falling
    arrived: torch.cuda.Event | None


class TorchRanker:
    """Ranks blocks of rows whose scores are products of factors."""

    def __init__(
        self, rows: FactorRows, masks: Masks, k: int,
        *, device: str, budget: int, half: bool = False,
    ) -> None:  # fmt: skip
        """Bring item factors and rules of items to the device.

        Args:
            rows: where scores come from.
            masks: rules of all rows.
            k: length of a list.
            device: torch device.
            budget: bytes of scores held there at once.
            half: make the products in bfloat16.
        """
        self._rows, self._masks, self._k = rows, masks, k
        self._device, self._budget = torch.device(device), budget
        self._dtype = torch.bfloat16 if half else torch.float32
        precision = _PRECISION[torch.get_float32_matmul_precision()]
        on_cpu = self._device.type == "cpu"
        self._products = "bfloat16" if half else "float32" if on_cpu else precision
        self._D = torch.from_numpy(np.array(rows.decoder)).to(self._device, self._dtype)
        self._extra = torch.from_numpy(masks.extra).to(self._device)
        self._eligible = torch.from_numpy(masks.eligible).to(self._device)
        self._fallback = CpuRanker(rows, masks, k)
        self._most_rows = ROWS

    def prepare(self, rows: slice) -> Prepared:
        """Return rows with their factors and rules; any thread may do it."""
        batch = self._rows.batch(rows, products=self._products)
        return Prepared(rows, batch, self._masks.of(rows, batch.added))

    def propose(self, block: Prepared) -> list[Proposed]:
        """Start to look for candidates, in smaller and smaller parts if memory does not suffice."""
        n_rows = len(block.batch.H)
        if n_rows > self._most_rows:
            start, stop = block.rows.start, block.rows.stop
            middle = start + n_rows // 2
            halves = (self.prepare(slice(*each)) for each in ((start, middle), (middle, stop)))
            return [each for half in halves for each in self.propose(half)]
        try:
            return [self._proposed(block)]
        except torch.OutOfMemoryError:
            if n_rows == 1:
                raise
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            self._most_rows = max(1, n_rows // 2)
            logger.warning("%d rows do not fit %s: going on with %d",
                           n_rows, self._device, self._most_rows)  # fmt: skip
            return self.propose(block)

    def finish(self, proposals: list[Proposed]) -> Lists:
        """Wait for candidates and return the lists.

        Raises:
            ValueError: a score is not finite.
        """
        items, scores = zip(*(self._finished(each) for each in proposals), strict=True)
        return np.concatenate(items), np.concatenate(scores)

    def _proposed(self, block: Prepared) -> Proposed:
        fits = self._rows.fits_bf16(block.batch.H)
        H = self._sent(block.batch.H).to(self._dtype if fits else torch.float32)
        hidden, added = _Laid.out(block.rules.hidden), _Laid.out(block.batch.added)
        group = self._sent(block.rules.group)
        n_rows, n_items = len(H), self._rows.n_items
        width = int(np.clip(self._budget // (_BYTES_OF_SCORE * n_rows), 1, n_items))
        best = (
            torch.empty(n_rows, 0, device=H.device),
            torch.empty(n_rows, 0, device=H.device).long(),
        )
        for start in range(0, n_items, width):
            span = slice(start, min(start + width, n_items))
            S = torch.mm(H, self._D[span].to(H.dtype).T).float()
            self._apply(S, span, group, hidden, added)
            best = _merged(best, S, start, 2 * self._k + _ROOM)
        return self._fetched(block, *best)

    def _apply(
        self, S: Tensor, span: slice, group: Tensor, hidden: "_Laid", added: "_Laid"
    ) -> None:
        rows, columns, values = added.within(span)
        if len(rows):
            place = self._sent(rows), self._sent(columns)
            S.index_put_(place, self._sent(values), accumulate=True)
        if len(self._extra):
            S += self._extra[span] * S.abs()
        eligible = self._eligible[:, span]
        if len(eligible) == 1:
            S.masked_fill_(~eligible, -torch.inf)
        else:
            S.masked_fill_(~eligible[group.long()], -torch.inf)
        rows, columns, _ = hidden.within(span)
        if len(rows):
            S[self._sent(rows), self._sent(columns)] = -torch.inf

    def _sent(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)

    def _fetched(self, block: Prepared, scores: Tensor, items: Tensor) -> Proposed:
        if self._device.type != "cuda":
            return Proposed(block, items.int(), scores, None)
        home = [torch.empty(x.shape, dtype=t, pin_memory=True)
                for x, t in ((items, torch.int32), (scores, torch.float32))]  # fmt: skip
        computing = torch.cuda.current_stream(self._device)
        copying = torch.cuda.Stream(self._device)
        copying.wait_stream(computing)
        with torch.cuda.stream(copying):
            for target, source in zip(home, (items.int(), scores), strict=True):
                source.record_stream(copying)
                target.copy_(source, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record(copying)
        return Proposed(block, home[0], home[1], arrived)

    def _finished(self, proposed: Proposed) -> Lists:
        if proposed.arrived is not None:
            proposed.arrived.synchronize()
        block, k = proposed.block, self._k
        items, scores = proposed.items.numpy(), proposed.scores.numpy()
        if not (scores[:, 0] < np.inf).all():  # nan comes first
            raise ValueError("scores must be finite or -inf, got nan or inf")
        real = scores > -np.inf
        kept = Kept(
            keys=np.where(real, encoded(items, scores), EMPTY),
            size=real.sum(axis=1).astype(np.int64),
            bar=np.empty(0, np.float32), kth=np.empty(0, np.float32),
            margin=block.batch.margin, settled=np.zeros(len(items), dtype=bool),
        )  # fmt: skip
        finish(block.batch.H, self._rows.decoder, kept, block.rules, k)
        lists = best_first(kept.keys, k)
        doubtful = ~_proven(scores, block, k, self._rows.n_items)
        for run in _runs(doubtful):
            rows = slice(block.rows.start + run.start, block.rows.start + run.stop)
            for whole, part in zip(lists, self._fallback.rank(rows), strict=True):
                whole[run] = part
        return lists


class _Laid(NamedTuple):
    """Entries of a block in the order of their items."""

    rows: np.ndarray
    items: np.ndarray
    values: np.ndarray

    @classmethod
    def out(cls, entries: Entries) -> "_Laid":
        shape = len(entries.indptr) - 1, int(entries.indices.max(initial=-1)) + 1
        place = np.arange(len(entries.indices))
        laid = sp.csr_array((place, entries.indices, entries.indptr), shape=shape).tocsc()
        items = np.repeat(np.arange(shape[1]), np.diff(laid.indptr))
        values = entries.values[laid.data] if len(entries.values) else entries.values
        return cls(laid.indices.astype(np.int64), items, values)

    def within(self, span: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        first, last = np.searchsorted(self.items, [span.start, span.stop])
        found = slice(first, last)
        return self.rows[found], self.items[found] - span.start, self.values[found]


def _merged(
    best: tuple[Tensor, Tensor], S: Tensor, start: int, n_kept: int
) -> tuple[Tensor, Tensor]:
    scores, places = torch.topk(S, min(n_kept, S.shape[1]), dim=1)
    scores, items = torch.cat([best[0], scores], 1), torch.cat([best[1], places + start], 1)
    scores, places = torch.topk(scores, min(n_kept, scores.shape[1]), dim=1)
    return scores, items.gather(1, places)


def _proven(scores: np.ndarray, block: Prepared, k: int, n_items: int) -> np.ndarray:
    """Tell which rows have every item among their candidates that could be listed."""
    margin, last = block.batch.margin, scores[:, -1].astype(np.float64)
    if scores.shape[1] == n_items:
        enough = np.ones(len(scores), dtype=bool)
    else:
        enough = (last == -np.inf) | (last < scores[:, k - 1] - 2.0 * margin)
        enough |= last + margin < block.rules.floor
    return enough & (np.diff(block.rules.allowed.indptr) == 0)


def _runs(doubtful: np.ndarray) -> Iterator[slice]:
    if doubtful.mean() > _DOUBTFUL:
        yield slice(0, len(doubtful))
        return
    edges = np.flatnonzero(np.diff(np.concatenate([[False], doubtful, [False]])))
    for start, stop in edges.reshape(-1, 2):
        yield slice(int(start), int(stop))
