"""Keys of event ids: numbers that tell the events of one user apart, the same on every night."""

import numpy as np
from jaxtyping import Integer, UInt8, UInt64

from models.ranking.selection import compiled

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def keys_of_integers(ids: Integer[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """Return the key of every whole number, shape (n,); never 0.

    Reference: Steele, Lea and Flood, OOPSLA 2014, doi:10.1145/2660193.2660195 (splitmix64).
    """
    return _mixed(ids.astype(np.uint64) + _GOLDEN)


def keys_of_strings(
    data: UInt8[np.ndarray, " n_bytes"], offsets: Integer[np.ndarray, " n_plus_1"]
) -> UInt64[np.ndarray, " n"]:
    """Return the key of every string, shape (n,); never 0.

    Two different ids of one user share a key with a chance of 2^-64.
    Reference: Fowler, Noll and Vo, hash FNV-1a of 64 bits.

    Args:
        data: UTF-8 bytes of all ids, one after the other.
        offsets: where each id begins, and where the last one ends.
    """
    hashes = np.empty(len(offsets) - 1, np.uint64)
    _hash(data, offsets, hashes)
    return _mixed(hashes)


@compiled
def _hash(data: np.ndarray, offsets: np.ndarray, hashes: np.ndarray) -> None:
    for row in range(len(hashes)):
        value = np.uint64(0xCBF29CE484222325)
        for place in range(offsets[row], offsets[row + 1]):
            value = (value ^ np.uint64(data[place])) * np.uint64(0x100000001B3)
        hashes[row] = value


def _mixed(keys: np.ndarray) -> np.ndarray:
    z = keys.copy()
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    z[z == 0] = 1
    return z
