"""How far apart two count vectors are: population stability index and Jensen-Shannon distance.

Both are taken over cells: items are so many and so rare that a distance item by item would tell
mostly of chance. Cells follow from the pooled counts alone, which say nothing of which of the two
samples an event came from: chance cannot make cells in which the samples differ.
"""

import numpy as np
from jaxtyping import Int
from scipy.special import rel_entr

_PSEUDO_COUNT = 0.5  # of every cell, so that an empty one leaves the index finite
Counts = Int[np.ndarray, " n"]


def population_stability(
    counts: Counts, reference: Counts, *, pseudo_count: float = _PSEUDO_COUNT
) -> float:
    """Return the population stability index: the sum of (p - q) ln(p / q); 0 for equal shares.

    It is symmetric, and the sum of both Kullback-Leibler divergences (Jeffreys' divergence).

    Reference: Siddiqi, Credit Risk Scorecards, 2006, which calls up to 0.1 stable and more than
    0.25 a shift; Potgieter et al., arXiv:2307.11878 (both bounds say nothing without the number
    of observations: see models.statistics.drift_state).

    Args:
        counts: of every cell, shape (n,).
        reference: of the same cells, shape (n,).
        pseudo_count: added to every cell of both.

    Raises:
        ValueError: a count is negative, or a vector sums to 0.
    """
    _check(counts, reference)
    p, q = (_shares(each + pseudo_count) for each in (counts, reference))
    return float(np.sum((p - q) * np.log(p / q)))


def jensen_shannon(
    counts: Counts, reference: Counts, *, pseudo_count: float = _PSEUDO_COUNT
) -> float:
    """Return the Jensen-Shannon distance: 0 for equal shares, 1 without a common cell.

    The square root of the divergence in bits, which is a metric.

    Reference: Lin, IEEE Transactions on Information Theory 1991, doi:10.1109/18.61115; Endres
    and Schindelin, the same 2003, doi:10.1109/TIT.2003.813506.

    Args:
        counts: of every cell, shape (n,).
        reference: of the same cells, shape (n,).
        pseudo_count: added to every cell of both; it keeps the distance of few counts small.

    Raises:
        ValueError: as population_stability.
    """
    _check(counts, reference)
    p, q = (_shares(each + pseudo_count) for each in (counts, reference))
    middle = (p + q) / 2.0
    bits = sum(float(np.sum(_bits(each, middle))) for each in (p, q)) / 2.0
    return float(np.sqrt(min(max(bits, 0.0), 1.0)))


def cells_of_equal_mass(pooled: Counts, *, n_cells: int) -> Int[np.ndarray, " n"]:
    """Return the cell of every value, from 0: the frequent ones first, each cell as heavy.

    A value that is heavier than a cell gets one of its own.

    Args:
        pooled: counts of both samples together, shape (n,); equal ones keep their order.
        n_cells: most cells, at least 1.

    Raises:
        ValueError: n_cells is not positive, or pooled sums to 0.
    """
    if n_cells < 1:
        raise ValueError(f"n_cells must be at least 1, got {n_cells}")
    total = int(pooled.sum())
    if total <= 0:
        raise ValueError(f"pooled must sum to more than 0, got {total}")
    order = np.argsort(-pooled, kind="stable")
    mass = pooled[order].astype(np.float64)
    middle = np.cumsum(mass) - mass / 2.0
    cell = np.empty(len(pooled), np.int64)
    cell[order] = np.minimum(middle / total * n_cells, n_cells - 1).astype(np.int64)
    return _numbered(cell)


def join_rare(pooled: Counts, *, fewest: float) -> Int[np.ndarray, " n"]:
    """Return cells, from 0, in which rare values stand together until they are no longer rare.

    Args:
        pooled: counts of both samples together, shape (n,).
        fewest: smallest pooled count of a cell; where all together are fewer, there is one cell.
    """
    order = np.argsort(pooled, kind="stable")  # the rarest first
    before = np.concatenate(([0], np.cumsum(pooled[order])[:-1]))
    is_rare = (before < fewest) | (pooled[order] < fewest)
    cell = np.empty(len(pooled), np.int64)
    cell[order] = np.where(is_rare, 0, np.arange(len(pooled)))
    return _numbered(cell)


def summed(counts: Counts, cell: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n_cells"]:
    """Return the counts of every cell, up to the last one."""
    sums = np.bincount(cell, weights=counts, minlength=int(cell.max(initial=-1)) + 1)
    return np.rint(sums).astype(np.int64)


def _numbered(cell: np.ndarray) -> np.ndarray:
    numbered: np.ndarray = np.unique(cell, return_inverse=True)[1].astype(np.int64)
    return numbered


def _shares(counts: np.ndarray) -> np.ndarray:
    shares: np.ndarray = counts / counts.sum()
    return shares


def _bits(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.asarray(rel_entr(p, q)) / np.log(2.0)


def _check(counts: np.ndarray, reference: np.ndarray) -> None:
    for name, each in (("counts", counts), ("reference", reference)):
        if each.min(initial=0) < 0 or each.sum() <= 0:
            raise ValueError(f"{name} must be at least 0 and sum to more, got {each.tolist()[:5]}")
