"""Lists of users: those of a taste, and those whom an item suits; made by the ranking engine."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.ranking.ranking import Block, FactorModel, rank_items
from models.ranking.ranking_engine import Engine, ranked
from models.ranking.ranking_rows import FactorRows, entries
from models.ranking.ranking_rule import Masks

_ROWS = 4096  # users whose scores beside the products are held at once


def rank_similar_users(
    model: FactorModel,
    X: sp.csr_array,
    *,
    k: int,
    eligible: Bool[np.ndarray, " n_users"] | None = None,
    sources: Int[np.ndarray, " n_sources"] | None = None,
    **engine: Any,
) -> Iterator[Block]:
    """Yield the k users whose factors have the largest cosine with every source's.

    Args:
        model: encodes rows.
        X: histories, shape (n_users, n_items); all users' factors are held at once.
        k: length of a list.
        eligible: users that may be listed, by default those with factors other than zero.
        sources: users to find others for; all by default.
        engine: block_size, device, products and budget of rank_items.

    Yields:
        As rank_items, of users.

    Raises:
        ValueError: a factor is not finite.
    """
    H = _encoded(model, X)
    length = np.linalg.norm(H, axis=1, keepdims=True)
    H /= np.where(length > 0.0, length, 1.0)
    listed = length[:, 0] > 0.0 if eligible is None else eligible
    return rank_items(H, k=k, eligible=listed, sources=sources, **engine)


def rank_audience(
    model: FactorModel,
    X: sp.csr_array,
    items: Int[np.ndarray, " n_sources"],
    *,
    seen: sp.csr_array,
    eligible: Bool[np.ndarray, " n_users"],
    k: int,
    **engine: Any,
) -> Iterator[Block]:
    """Yield the k users with the largest score of every item, best first.

    Args:
        model: scores rows; X should be covered by seen, as own entries are not taken off.
        X: histories, shape (n_users, n_items); all users' factors are held at once.
        items: items to find users for.
        seen: users that are not listed for an item, shape (n_users, n_items).
        eligible: users that may be listed.
        k: length of a list.
        engine: fields of Engine: block_size, budget, device, products, tile.

    Yields:
        Slice of items; users (rows, k) int32, ties by row, padded with -1; scores (rows, k)
        float32, padded with nan.

    Raises:
        ValueError: shapes disagree, or a score is not finite.
    """
    decoder, more = model.decoder, _beside(model, X, items)
    masks = Masks.checked(sp.csr_array(sp.csc_array(seen)[:, items].T), eligible)
    rows = FactorRows(
        lambda rows: decoder[items[rows]], _encoded(model, X), listed=masks.listed,
        added=None if more is None else lambda rows: entries(more, rows, more[rows].data),
    )  # fmt: skip
    return ranked(rows, masks, n_rows=len(items), k=k, engine=Engine(**engine))


def _beside(model: FactorModel, X: sp.csr_array, items: np.ndarray) -> sp.csr_array | None:
    """Return what is to be added to the products of items with users, None for nothing."""
    beside = getattr(model, "beside", None)
    if beside is None:
        return None
    starts = range(0, max(1, X.shape[0]), _ROWS)
    parts = [beside(X[start : start + _ROWS])[:, items] for start in starts]
    added = sp.csr_array(sp.vstack(parts).T)
    added.sort_indices()
    return added


def _encoded(model: FactorModel, X: sp.csr_array) -> Float[np.ndarray, "n_users n_factors"]:
    return np.array(model.encode(X), dtype=np.float32)
