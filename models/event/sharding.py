"""Which user shard a user belongs to: a hash that never changes with any library."""

import numpy as np
from jaxtyping import Int, UInt8

_FNV_OFFSET, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_HASHED_BYTES = 64  # of a long id; its length is hashed as well


def shards_of_integers(ids: Int[np.ndarray, " n"], *, n_shards: int) -> Int[np.ndarray, " n"]:
    """Return the shard of every integer id, shape (n,) int32.

    Reference: Steele, Lea and Flood, OOPSLA 2014, doi:10.1145/2660193.2660195 (splitmix64).
    """
    return _mixed(ids.astype(np.uint64), n_shards)


def shards_of_strings(
    data: UInt8[np.ndarray, " n_bytes"], offsets: Int[np.ndarray, " n_plus_1"], *, n_shards: int
) -> Int[np.ndarray, " n"]:
    """Return the shard of every string id, shape (n,) int32.

    Reference: Fowler, Noll and Vo, hash FNV-1a, over the first 64 bytes and the length.

    Args:
        data: UTF-8 bytes of all ids, one after the other.
        offsets: where each id begins, and where the last one ends.
        n_shards: number of shards.
    """
    starts, lengths = offsets[:-1].astype(np.int64), np.diff(offsets).astype(np.int64)
    hashes = np.full(len(starts), _FNV_OFFSET)
    for position in range(min(int(lengths.max(initial=0)), _HASHED_BYTES)):
        longer = np.flatnonzero(lengths > position)
        byte = data[starts[longer] + position].astype(np.uint64)
        hashes[longer] = (hashes[longer] ^ byte) * _FNV_PRIME
    return _mixed((hashes ^ lengths.astype(np.uint64)) * _FNV_PRIME, n_shards)


def _mixed(keys: np.ndarray, n_shards: int) -> np.ndarray:
    z = keys + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) % np.uint64(n_shards)).astype(np.int32)
