"""Lists on the CPU: tiles of scores that stay in the cache, looked at while they are there."""

import numpy as np

from models.ranking.ranking_rows import Batch, FactorRows, Rows
from models.ranking.ranking_rule import Masks
from models.ranking.ranking_tile import in_bf16, tiles_of
from models.ranking.selection import Kept, absorb, finish
from models.ranking.selection_key import EMPTY, decoded

Lists = tuple[np.ndarray, np.ndarray]
TILE = 2048  # items
_ROOM = 32  # candidates kept beyond twice k


class CpuRanker:
    """Ranks blocks of rows; several threads may do so at the same time."""

    def __init__(
        self, rows: Rows, masks: Masks, k: int, *, tile: int = TILE, half: bool = False
    ) -> None:
        """Take what scores and what may be listed.

        Args:
            rows: where scores come from.
            masks: rules of all rows.
            k: length of a list.
            tile: items at once.
            half: make products of factors in bfloat16; the lists are the same.
        """
        self._rows, self._masks, self._k, self._tile = rows, masks, k, tile
        product = half and isinstance(rows, FactorRows)
        self._halved = in_bf16(rows.decoder) if product else None
        self._columns = masks.columns

    def rank(self, rows: slice) -> Lists:
        """Return the k best items of rows, and their scores.

        Raises:
            ValueError: a score is not finite.
        """
        halved = self._halved
        batch = self._rows.batch(rows, products="float32" if halved is None else "bfloat16")
        if halved is not None and not self._rows.fits_bf16(batch.H):
            halved = None
        rules, kept = self._masks.of(rows, batch.added), self._nothing_kept(batch)
        tiles = tiles_of(batch, self._rows.decoder, self._tile, halved=halved)
        for start in range(0, len(self._columns), self._tile):
            columns = self._columns[start : start + self._tile]
            S = tiles(columns)
            if not absorb(S, columns, batch.H, self._rows.decoder, kept, rules, self._k):
                raise ValueError("scores must be finite or -inf, got nan or inf")
        finish(batch.H, self._rows.decoder, kept, rules, self._k)
        return best_first(kept.keys, self._k)

    def _nothing_kept(self, batch: Batch) -> Kept:
        n_rows, floor = len(batch.margin), self._masks.floor
        capacity = min(2 * self._k + _ROOM, len(self._columns) + 1)
        with np.errstate(invalid="ignore"):
            bar = np.float64(np.nextafter(floor, np.float32(-np.inf))) - batch.margin
        return Kept(
            keys=np.empty((n_rows, capacity), np.uint64),
            size=np.zeros(n_rows, np.int64),
            bar=np.nextafter(bar.astype(np.float32), np.float32(-np.inf)),
            kth=np.full(n_rows, -np.inf, np.float32),
            margin=batch.margin,
            settled=batch.margin == 0.0,
        )


def best_first(keys: np.ndarray, k: int) -> Lists:
    """Return items and scores of the first k keys, sorted, padded with -1 and nan."""
    front = np.full((len(keys), k), EMPTY)
    width = min(k, keys.shape[1])
    front[:, :width] = keys[:, :width]
    front.sort(axis=1)
    return decoded(front)
