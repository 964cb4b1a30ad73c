"""Keys of candidates: one number that sorts by falling score, then by item."""

import numpy as np

EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)  # decodes to item -1, score nan
_SIGN, _WORD = np.uint32(1 << 31), np.uint64(32)


def encoded(items: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the keys of items int32 with scores float32, uint64; -0 counts as 0."""
    bits = (scores + np.float32(0.0)).view(np.uint32)
    falling = np.where(bits & _SIGN, bits, ~(bits | _SIGN))
    return (falling.astype(np.uint64) << _WORD) | items.astype(np.uint64)


def decoded(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return items int32 and scores float32 of keys; empty ones give -1 and nan."""
    rising = ~(keys >> _WORD).astype(np.uint32)
    bits = np.where(rising & _SIGN, rising ^ _SIGN, ~rising)
    return keys.astype(np.uint32).view(np.int32), bits.view(np.float32)
