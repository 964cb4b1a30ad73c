"""Choose lists from pools of candidates: caps per category, diversity, rotation by the day."""

import numpy as np
from jaxtyping import Float, Int, Integer

from models.ranking.rerank_kernel import choose

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def rerank(
    items: Int[np.ndarray, "n_users pool"],
    scores: Float[np.ndarray, "n_users pool"],
    *,
    n: int,
    category: Int[np.ndarray, " n_items"],
    caps: Int[np.ndarray, " n_categories"],
    noise: Float[np.ndarray, "n_users pool"] | None = None,
    diversity: float = 0.0,
    vectors: Float[np.ndarray, "n_vectors n_factors"] | None = None,
) -> Int[np.ndarray, "n_users n"]:
    """Return which places of its pool make up each list, best first.

    Greedy: each step takes the candidate of the largest value whose category has room, ties by
    order of the pool. The value is the score less the noise; with diversity d it is
    (1 - d) s - d c, where s is that scaled to [0, 1] over the pool and c the largest cosine to
    an item chosen before (0 for the first). Without noise, diversity and caps a pool that is
    sorted by score gives 0 to n - 1. With caps and no diversity no list could hold more
    items of the pool, nor a better one at any place.

    Reference: Carbonell and Goldstein, SIGIR 1998, doi:10.1145/290941.291025 (maximal marginal
    relevance; their lambda is 1 - d).

    Args:
        items: candidates of every user, padded with -1.
        scores: of the candidates; finite.
        n: length of a list.
        category: of every item, -1 for none.
        caps: most items of a category in one list.
        noise: what each score is lowered by (see rotation_noise).
        diversity: from 0 to 1.
        vectors: of items, of any length; needed for diversity, at least for the candidates.

    Returns:
        Places int32, padded with -1 where the pool does not hold n that fit.

    Raises:
        ValueError: an argument is out of range, or a candidate has no score or vector.
    """
    if n < 1 or not 0.0 <= diversity <= 1.0:
        raise ValueError(f"n must be positive, diversity in [0, 1], got {n}, {diversity}")
    if diversity and vectors is None:
        raise ValueError("vectors must be given for diversity, got none")
    if category.max(initial=-1) >= len(caps):
        raise ValueError(f"category must be below {len(caps)}, got {category.max()}")
    used = vectors if diversity and vectors is not None else np.empty((0, 0), np.float32)
    known = min(len(category), len(used)) if diversity else len(category)
    if items.max(initial=-1) >= known:
        raise ValueError(f"items must be below {known}, got {items.max()}")
    values = scores.astype(np.float64) - (0.0 if noise is None else noise)
    if not np.isfinite(values[items >= 0]).all():
        raise ValueError("scores and noise of candidates must be finite, got nan or inf")
    places = np.full((len(items), n), -1, dtype=np.int32)
    choose(
        items.astype(np.int32, copy=False), values, category.astype(np.int32, copy=False),
        caps.astype(np.int32, copy=False), float(diversity),
        np.ascontiguousarray(used, dtype=np.float32), places,
    )  # fmt: skip
    return places


def rotation_noise(
    items: Int[np.ndarray, "n_users pool"],
    scores: Float[np.ndarray, "n_users pool"],
    *,
    users_hash: Integer[np.ndarray, " n_users"],
    item_hash: Integer[np.ndarray, " n_items"],
    day: int,
    share: float,
) -> Float[np.ndarray, "n_users pool"]:
    """Return what to lower every score by, for lists that change by the day and stay good.

    It is u share |score| with u in [0, 1) from a hash of day, user and item: the same on the
    same day, another on another. Whatever caps say, the item at a place of the list made with
    it has a score of at least s - share |s|, where s is the score at that place without it.

    Reference: Steele, Lea and Flood, OOPSLA 2014, doi:10.1145/2660193.2660195 (splitmix64).

    Args:
        items: candidates of every user, padded with -1.
        scores: of the candidates.
        users_hash: a number for every user, the same every day.
        item_hash: likewise for every item.
        day: a number of the day.
        share: most that a place may lose, from 0 to 1.

    Returns:
        Not negative, float32; 0 for padding.

    Raises:
        ValueError: share is out of range.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share must be in [0, 1], got {share}")
    of_day = _mixed(np.array([day], dtype=np.int64).astype(np.uint64))
    of_item = _mixed(item_hash.astype(np.uint64) ^ of_day)
    mixed = _mixed(_mixed(users_hash.astype(np.uint64))[:, None] ^ of_item[items])
    u = (mixed >> np.uint64(40)) * 2.0**-24  # 24 bits, so that float32 never rounds it up to 1
    noise = u * share * np.abs(scores.astype(np.float64))
    return np.where(items >= 0, noise, 0.0).astype(np.float32)


def _mixed(keys: np.ndarray) -> np.ndarray:
    z = keys + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))
