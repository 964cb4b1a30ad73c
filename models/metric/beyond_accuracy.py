"""What lists are like beside being right: popular, novel, diverse, true to a user's taste."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int, Num

Lists = Int[np.ndarray, "n_users k"]
PerUserValues = Float[np.ndarray, " n_users"]


@dataclass(frozen=True)
class Catalogue:
    """What is known of the items; every figure of popularity is of training alone."""

    counts: Num[np.ndarray, " n_items"]  # users who have met the item
    n_users: int  # of training
    category: Int[np.ndarray, " n_items"] | None = None  # -1 for none
    embedding: Float[np.ndarray, "n_items n_factors"] | None = None

    @property
    def popularity(self) -> Float[np.ndarray, " n_items"]:
        """Return the share of users who have met each item."""
        return np.asarray(self.counts, dtype=np.float64) / max(self.n_users, 1)


def average_popularity(items: Lists, catalogue: Catalogue) -> PerUserValues:
    """Return the mean share of users who have met the listed items; nan of an empty list."""
    return _mean_over_list(items, catalogue.popularity)


def novelty(items: Lists, catalogue: Catalogue) -> PerUserValues:
    """Return the mean self-information of the listed items, in bits; nan of an empty list.

    An item that nobody has met counts as met by one user.

    Reference: Vargas and Castells, RecSys 2011, doi:10.1145/2043932.2043955 (MSI: the mean of
    -log2 of the share of users who have met the item).
    """
    share = np.maximum(catalogue.counts, 1) / max(catalogue.n_users, 1)
    return _mean_over_list(items, -np.log2(share))


def diversity_by_category(items: Lists, catalogue: Catalogue) -> PerUserValues:
    """Return the share of pairs of listed items that differ in category.

    Items without a category do not count; nan of a list with fewer than two that have one.

    Raises:
        ValueError: the catalogue has no categories.
    """
    counts = _category_counts(_list_matrix(items, len(catalogue.counts)), catalogue)
    n = counts.sum(axis=1)
    alike = (counts * (counts - 1.0)).sum(axis=1)
    return 1.0 - alike / _or_nan(n * (n - 1.0))


def diversity_by_embedding(items: Lists, catalogue: Catalogue) -> PerUserValues:
    """Return one less the mean cosine of all pairs of listed items, between 0 and 2.

    An item without a direction (all zeros) is at 1 from every other. nan of a list with fewer
    than two items.

    Reference: Ziegler et al., WWW 2005, doi:10.1145/1060745.1060754 (intra-list similarity).

    Raises:
        ValueError: the catalogue has no embeddings.
    """
    if catalogue.embedding is None:
        raise ValueError("diversity by embedding needs a catalogue with embeddings, got none")
    listed = _list_matrix(items, len(catalogue.embedding))
    some, places = np.unique(listed.indices, return_inverse=True)  # of a large catalogue
    listed = sp.csr_array((listed.data, places, listed.indptr), shape=(len(items), len(some)))
    E = catalogue.embedding[some].astype(np.float64)
    length = np.sqrt(np.square(E).sum(axis=1, keepdims=True))
    E /= np.where(length > 0, length, 1.0)
    total = np.square(listed @ E).sum(axis=1)
    n, own = np.diff(listed.indptr), listed @ (length[:, 0] > 0).astype(np.float64)
    return 1.0 - (total - own) / _or_nan(n * (n - 1.0))


def calibration(
    items: Lists, fold_in: sp.csr_array, catalogue: Catalogue, *, smoothing: float = 0.01
) -> PerUserValues:
    """Return how far the categories of a list are from those of the user's history, in nats.

    0 is a list that keeps the history's shares; the larger, the farther.

    Reference: Steck, RecSys 2018, doi:10.1145/3240323.3240372, equations 6 and 7: C_KL(p, q) =
    sum over g of p(g|u) log(p(g|u) / q~(g|u)), q~ = (1 - alpha) q + alpha p (smoothing is its
    alpha; p and q weigh every item alike).

    Args:
        items: the lists, padded with -1.
        fold_in: histories, shape (n_users, n_items); values do not matter.
        catalogue: with categories; items without one do not count.
        smoothing: between 0 and 1.

    Returns:
        nan of a user without a category in the history or in the list.

    Raises:
        ValueError: smoothing is not between 0 and 1, or the catalogue has no categories.
    """
    if not 0.0 < smoothing < 1.0:
        raise ValueError(f"smoothing must be between 0 and 1, got {smoothing}")
    met = sp.csr_array((np.ones(fold_in.nnz), fold_in.indices, fold_in.indptr), fold_in.shape)
    p = _shares(_category_counts(met, catalogue))
    q = _shares(_category_counts(_list_matrix(items, fold_in.shape[1]), catalogue))
    mixed = (1.0 - smoothing) * q + smoothing * p
    ratio = np.divide(p, mixed, out=np.ones_like(p), where=(p > 0) | np.isnan(mixed))
    return (p * np.log(ratio)).sum(axis=1)


def popularity_lift(items: Lists, fold_in: sp.csr_array, catalogue: Catalogue) -> PerUserValues:
    """Return by how much lists are more popular than histories, as a share of the histories'.

    0 is as popular, 1 twice as popular. The lift is a ratio of two means over users; here each
    user's share of it, so that their mean is the lift and their spread gives its standard
    error (the ratio's linear part).

    Reference: Abdollahpouri et al., RecSys 2020, doi:10.1145/3383313.3418487: PL(g) =
    (GAP_q(g) - GAP_p(g)) / GAP_p(g), the group g being all users.

    Args:
        items: the lists, padded with -1.
        fold_in: histories, shape (n_users, n_items); values do not matter.
        catalogue: counts of training.

    Returns:
        nan of a user without a history or a list.
    """
    listed = average_popularity(items, catalogue)
    n_met = np.diff(fold_in.indptr)
    owner = np.repeat(np.arange(fold_in.shape[0]), n_met)
    total = np.bincount(owner, catalogue.popularity[fold_in.indices], fold_in.shape[0])
    history = total / _or_nan(n_met)
    both = ~np.isnan(listed) & ~np.isnan(history)
    mean = history[both].mean() if both.any() else np.nan
    if not mean > 0:
        return np.full(len(items), np.nan)
    ratio = listed[both].mean() / mean
    return np.where(both, ratio - 1.0 + (listed - ratio * history) / mean, np.nan)


def _mean_over_list(items: np.ndarray, values: np.ndarray) -> np.ndarray:
    there = items >= 0
    return np.where(there, values[items], 0.0).sum(axis=1) / _or_nan(there.sum(axis=1))


def _list_matrix(items: np.ndarray, n_items: int) -> sp.csr_array:
    """Return the lists as rows of ones, shape (n_users, n_items)."""
    there = items >= 0
    indptr = np.concatenate(([0], np.cumsum(there.sum(axis=1))))
    return sp.csr_array(
        (np.ones(indptr[-1]), items[there].astype(np.int64), indptr), shape=(len(items), n_items)
    )


def _category_counts(X: sp.csr_array, catalogue: Catalogue) -> np.ndarray:
    """Return how many items of each category stand in every row, shape (n_users, n_categories)."""
    category = catalogue.category
    if category is None:
        raise ValueError("this metric needs a catalogue with categories, got none")
    n_categories = int(category.max(initial=-1)) + 1
    owner = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    of_entry = category[X.indices]
    owner, of_entry = owner[of_entry >= 0], of_entry[of_entry >= 0]
    counts = np.bincount(owner * n_categories + of_entry, minlength=X.shape[0] * n_categories)
    return counts.reshape(X.shape[0], n_categories).astype(np.float64)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / _or_nan(counts.sum(axis=1))[:, None]


def _or_nan(counts: np.ndarray) -> np.ndarray:
    return np.where(counts > 0, counts, np.nan)
