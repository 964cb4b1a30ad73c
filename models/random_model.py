"""Random scores: the floor that every model must stand above."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class RandomModel:
    """Scores drawn from seed and history: the same history gets the same list in any batch."""

    n_items: int
    seed: int
    known: Bool[np.ndarray, " n_items"] | None = None  # others are no part of a history

    def scores(self, X: sp.csr_array) -> Float[np.ndarray, "batch n_items"]:
        """Return scores in [0, 1), float32."""
        seed = _mixed(np.full(1, self.seed, np.uint64))  # an array: it wraps around in silence
        item = _mixed(np.arange(self.n_items, dtype=np.uint64) ^ seed)
        counted = item if self.known is None else np.where(self.known, item, np.uint64(0))
        starts = np.append(np.zeros(1, np.uint64), np.cumsum(counted[X.indices]))
        user = starts[X.indptr[1:]] - starts[X.indptr[:-1]]  # modulo 2^64: any order of the items
        bits = _mixed(_mixed(user)[:, None] ^ item)
        return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


_STEP = np.uint64(0x9E3779B97F4A7C15)


def _mixed(keys: np.ndarray) -> np.ndarray:
    """Mix bits; reference: Steele, Lea and Flood, OOPSLA 2014, doi:10.1145/2660193.2660195."""
    z = keys + _STEP
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
