"""Compiled selection of the best items, tile by tile; it releases the interpreter lock.

Tiles hold scores that may be off by a margin. What cannot be among the k best is passed over with
one comparison; the rest is kept and scored again, in float64 and in a fixed order, before it
decides anything. So the lists do not depend on how the tiles were made: by which BLAS, in which
precision, in which blocks, or by how many threads.
"""

from collections.abc import Callable
from inspect import unwrap
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit

from models.ranking.selection_key import EMPTY

_Loop = TypeVar("_Loop", bound=Callable[..., Any])
_CHUNK = 64  # scores looked at together; shorter loops are unrolled and not vectorised
_LANES = 8  # sums kept apart, so that the order is the same on every processor
_ZERO, _INF, _NOTHING = np.float32(0.0), np.float32(np.inf), np.float32(-np.inf)
_SIGN, _ALL, _WORD = np.uint32(1 << 31), np.uint32(0xFFFFFFFF), np.uint64(32)


class Entries(NamedTuple):
    """CSR rows of a block: sorted items, and values if they matter."""

    indptr: np.ndarray  # (rows + 1,) int64
    indices: np.ndarray  # int32
    values: np.ndarray  # float32; may be empty


class Kept(NamedTuple):
    """Candidates of a block of rows; a smaller key is a better item."""

    keys: np.ndarray  # (rows, capacity) uint64
    size: np.ndarray  # (rows,) int64; how many there are
    bar: np.ndarray  # (rows,) float32; what does not exceed it in a tile is passed over
    kth: np.ndarray  # (rows,) float32; exact score that must be exceeded, once settled
    margin: np.ndarray  # (rows,) float64; how far a tile may be off
    settled: np.ndarray  # (rows,) bool; keys hold exact scores


class Rules(NamedTuple):
    """What may be listed to a block of rows, and how scores are changed."""

    hidden: Entries
    allowed: Entries  # a row without entries is not restricted
    added: Entries  # to the products of factors
    eligible: np.ndarray  # (n_groups, n_items) bool; no groups: everything is
    group: np.ndarray  # (rows,) int32
    extra: np.ndarray  # (n_items,) float32: boost - 1; empty: no boosts
    floor: np.float32  # lowest exact score that is listed


def compiled(loop: _Loop) -> _Loop:
    """Return the loop in machine code, kept on disk; sums stay in the order written."""
    bare = unwrap(loop)  # tests wrap functions to check shapes, and wrappers cannot be compiled
    return njit(bare, nogil=True, error_model="numpy", cache=True)


@compiled
def _key(score: np.float32, item: int) -> np.uint64:
    bits = np.float32(score + _ZERO).view(np.uint32)  # -0 becomes 0: they are equal
    rising = bits ^ _ALL if bits & _SIGN else bits ^ _SIGN
    return (np.uint64(rising ^ _ALL) << _WORD) | np.uint64(item)


@compiled
def _score(key: np.uint64) -> np.float32:
    rising = np.uint32(key >> _WORD) ^ _ALL
    bits = rising ^ _SIGN if rising & _SIGN else rising ^ _ALL
    return np.uint32(bits).view(np.float32)


@compiled
def _below(number: float) -> np.float32:
    """Return the largest float32 not above a number."""
    near = np.float32(number)
    return np.nextafter(near, _NOTHING) if np.float64(near) > number else near


@compiled
def _first(indices: np.ndarray, low: int, high: int, item: int) -> int:
    """Return the first place in indices[low:high] that holds at least the item."""
    while low < high:
        middle = (low + high) // 2
        if indices[middle] < item:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _dot(h: np.ndarray, D: np.ndarray, item: int, terms: np.ndarray) -> float:
    """Return h · D[item] in float64; products of float32 are exact in it."""
    d = D[item]
    n = len(d)
    for f in range(n):
        terms[f] = np.float64(h[f]) * np.float64(d[f])
    terms[n:] = 0.0
    total0, total1, total2, total3 = 0.0, 0.0, 0.0, 0.0
    total4, total5, total6, total7 = 0.0, 0.0, 0.0, 0.0
    for f in range(0, n, _LANES):
        total0 += terms[f]
        total1 += terms[f + 1]
        total2 += terms[f + 2]
        total3 += terms[f + 3]
        total4 += terms[f + 4]
        total5 += terms[f + 5]
        total6 += terms[f + 6]
        total7 += terms[f + 7]
    return ((total0 + total4) + (total1 + total5)) + ((total2 + total6) + (total3 + total7))


@compiled
def _exact(
    h: np.ndarray, D: np.ndarray, item: int, added: Entries, start: int, stop: int,
    extra: np.ndarray, terms: np.ndarray,
) -> np.float32:  # fmt: skip
    """Return the score that counts; what is added in the row lies between start and stop."""
    total = _dot(h, D, item, terms)
    if start < stop:
        place = _first(added.indices, start, stop, item)
        if place < stop and added.indices[place] == item:
            total += added.values[place]
    score = np.float32(total)
    if len(extra):
        score = score + extra[item] * abs(score)
    return score


@compiled
def _select(keys: np.ndarray, count: int, k: int) -> None:
    """Move the k smallest of keys[:count] to the front, the largest of them last."""
    left, right = 0, count - 1
    while left < right:
        first, middle, last = keys[left], keys[(left + right) // 2], keys[right]
        pivot = max(min(first, middle), min(max(first, middle), last))
        i, j = left, right
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            right = j
        elif k - 1 >= i:
            left = i
        else:
            return


@compiled
def _settle(row: int, H: np.ndarray, D: np.ndarray, kept: Kept, rules: Rules) -> None:
    """Replace the scores of a row's candidates by exact ones."""
    keys, h, added, extra, terms = (
        kept.keys[row],
        H[row],
        rules.added,
        rules.extra,
        np.empty(H.shape[1] + _LANES),
    )
    start, stop = added.indptr[row], added.indptr[row + 1]
    for place in range(kept.size[row]):
        item = int(keys[place] & np.uint64(_ALL))
        keys[place] = _key(_exact(h, D, item, added, start, stop, extra, terms), item)
    kept.settled[row] = True


@compiled
def _narrow(keys: np.ndarray, count: int, k: int, margin: float) -> tuple[int, np.float32]:
    """Keep what may be among the k best; return how many these are, and the new bar.

    At least k candidates have an exact score of the k-th seen less the margin or more, so one
    whose seen score lies two margins below the k-th is out.
    """
    _select(keys, count, k)
    bar = _below(np.float64(_score(keys[k - 1])) - 2.0 * margin)
    end = k
    for place in range(k, count):
        if _score(keys[place]) >= bar:
            keys[end], keys[place] = keys[place], keys[end]
            end += 1
    return end, bar


@compiled
def _compact(row: int, H: np.ndarray, D: np.ndarray, kept: Kept, rules: Rules, k: int) -> None:
    """Drop what cannot be among the k best, and raise the bar.

    Where too many are too near to each other for the room there is, the exact scores decide,
    now and from now on.
    """
    keys, margin = kept.keys[row], kept.margin[row]
    if not kept.settled[row]:
        kept.size[row], bar = _narrow(keys, kept.size[row], k, margin)
        kept.bar[row] = max(kept.bar[row], bar)
        if kept.size[row] <= k + (keys.size - k) // 2:
            return
        _settle(row, H, D, kept, rules)
    _select(keys, kept.size[row], k)
    kept.size[row] = k
    kept.kth[row] = _score(keys[k - 1])
    kept.bar[row] = max(kept.bar[row], _below(np.float64(kept.kth[row]) - margin))


@compiled
def _place(columns: np.ndarray, item: int) -> int:
    """Return where a tile has an item, -1 if nowhere."""
    n = len(columns)
    if columns[n - 1] - columns[0] == n - 1:
        return item - columns[0]
    place = _first(columns, 0, n, item)
    return place if place < n and columns[place] == item else -1


@compiled
def _add(scores: np.ndarray, columns: np.ndarray, added: Entries, row: int) -> None:
    start, stop, last = added.indptr[row], added.indptr[row + 1], columns[len(columns) - 1]
    for entry in range(_first(added.indices, start, stop, columns[0]), stop):
        if added.indices[entry] > last:
            break
        place = _place(columns, added.indices[entry])
        if place >= 0:
            scores[place] += added.values[entry]


@compiled
def _hide(scores: np.ndarray, columns: np.ndarray, hidden: Entries, row: int) -> None:
    start, stop, last = hidden.indptr[row], hidden.indptr[row + 1], columns[len(columns) - 1]
    for entry in range(_first(hidden.indices, start, stop, columns[0]), stop):
        if hidden.indices[entry] > last:
            break
        place = _place(columns, hidden.indices[entry])
        if place >= 0:
            scores[place] = _NOTHING


@compiled
def _exceed(scores: np.ndarray, bar: np.float32) -> bool:
    found = np.int32(0)
    for place in range(_CHUNK):  # a length known beforehand: a few vector operations
        found |= np.int32(not scores[place] <= bar)  # also nan
    return bool(found > 0)


@compiled
def _above(
    scores: np.ndarray, bar: np.float32, places: np.ndarray, flags: np.ndarray, words: np.ndarray
) -> int:
    """Write the places of scores above the bar, and return how many these are.

    Places have room for one more than scores; flags hold a chunk, words are the same memory.
    """
    n, found = len(scores), 0
    for start in range(0, n - n % _CHUNK, _CHUNK):
        chunk = scores[start : start + _CHUNK]
        if not _exceed(chunk, bar):
            continue
        for place in range(_CHUNK):
            flags[place] = np.uint8(not chunk[place] <= bar)
        for word in range(_CHUNK // 8):
            if words[word]:
                for place in range(8 * word, 8 * word + 8):
                    places[found] = start + place
                    found += flags[place]
    for place in range(n - n % _CHUNK, n):
        places[found] = place
        found += not scores[place] <= bar
    return found


@compiled
def _allowed(
    columns: np.ndarray, indices: np.ndarray, start: int, stop: int, places: np.ndarray
) -> int:
    """Write the places of allowed items, and return how many these are."""
    found, last = 0, columns[len(columns) - 1]
    for entry in range(_first(indices, start, stop, columns[0]), stop):
        if indices[entry] > last:
            break
        place = _place(columns, indices[entry])
        if place >= 0 and (found == 0 or places[found - 1] != place):  # named once
            places[found] = place
            found += 1
    return found


@compiled
def _offer(
    row: int, places: np.ndarray, scores: np.ndarray, columns: np.ndarray,
    H: np.ndarray, D: np.ndarray, kept: Kept, rules: Rules, k: int,
) -> bool:  # fmt: skip
    """Keep candidates that may be listed; return False if the score of one is nan or inf."""
    keys, count, bar, eligible = kept.keys[row], kept.size[row], kept.bar[row], rules.eligible
    group, masked, added, h, terms = (
        rules.group[row],
        len(eligible) > 0,
        rules.added,
        H[row],
        np.empty(0),
    )
    start, stop, n_factors = added.indptr[row], added.indptr[row + 1], H.shape[1]
    for place in places:
        score, item = scores[place], columns[place]
        if score <= bar or (masked and not eligible[group, item]):
            continue
        if not score < _INF:
            return False
        if kept.settled[row]:
            if n_factors:
                terms = np.empty(n_factors + _LANES) if len(terms) < n_factors else terms
                score = _exact(h, D, item, added, start, stop, rules.extra, terms)
            if score <= kept.kth[row] or score < rules.floor:
                continue
        keys[count] = _key(score, item)
        count += 1
        if count == len(keys):
            kept.size[row] = count
            _compact(row, H, D, kept, rules, k)
            count, bar = kept.size[row], kept.bar[row]
    kept.size[row] = count
    return True


@compiled
def absorb(
    S: np.ndarray, columns: np.ndarray,
    H: np.ndarray, D: np.ndarray, kept: Kept, rules: Rules, k: int,
) -> bool:  # fmt: skip
    """Look at a tile of scores and keep what may be among the k best of its row.

    Tiles must come in the order of their items.

    Args:
        S: scores up to the margin, shape (rows, n_columns), float32; changed.
        columns: items of the tile, rising, int32.
        H: rows' factors, shape (rows, n_factors), float32; no factors: S is exact.
        D: items' factors, shape (n_items, n_factors), float32.
        kept: candidates so far; changed.
        rules: what may be listed.
        k: length of a list.

    Returns:
        False if an item that may be listed has a score of nan or inf.
    """
    hidden, allowed, added, extra = rules.hidden, rules.allowed, rules.added, rules.extra
    places, flags = np.empty(len(columns) + 1, np.int32), np.empty(_CHUNK, np.uint8)
    words = flags.view(np.uint64)
    for row in range(len(S)):
        scores = S[row]
        if added.indptr[row] < added.indptr[row + 1]:
            _add(scores, columns, added, row)
        if len(extra):
            for place in range(len(columns)):
                scores[place] += extra[columns[place]] * abs(scores[place])
        if hidden.indptr[row] < hidden.indptr[row + 1]:
            _hide(scores, columns, hidden, row)
        start, stop = allowed.indptr[row], allowed.indptr[row + 1]
        if start < stop:
            found = _allowed(columns, allowed.indices, start, stop, places)
        else:
            found = _above(scores, kept.bar[row], places, flags, words)
        if found and not _offer(row, places[:found], scores, columns, H, D, kept, rules, k):
            return False
    return True


@compiled
def finish(H: np.ndarray, D: np.ndarray, kept: Kept, rules: Rules, k: int) -> None:
    """Score again what is kept, and leave the k best first, in no order, then EMPTY.

    Args:
        H: as in absorb.
        D: as in absorb.
        kept: candidates; changed.
        rules: as in absorb.
        k: length of a list.
    """
    for row in range(len(kept.size)):
        keys, end = kept.keys[row], 0
        if not kept.settled[row]:
            if kept.size[row] > k:
                kept.size[row], _ = _narrow(keys, kept.size[row], k, kept.margin[row])
            _settle(row, H, D, kept, rules)
        for place in range(kept.size[row]):
            score = _score(keys[place])
            if score >= rules.floor and score > _NOTHING:
                keys[end] = keys[place]
                end += 1
        _select(keys, end, min(k, end))
        keys[end:] = EMPTY
