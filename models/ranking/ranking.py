"""Ranking, written once for all models: masks, boosts, top-k with ties by item index."""

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int, Num

from models.ranking.ranking_cpu import CpuRanker
from models.ranking.ranking_engine import BUDGET, Block, Engine, Products, ranked
from models.ranking.ranking_rows import (
    FactorModel,
    FactorRows,
    Rows,
    ScoreModel,
    ScoreRows,
    entries,
)
from models.ranking.ranking_rule import Masks
from models.ranking.selection import Entries

__all__ = ["Block", "FactorModel", "ScoreModel", "rank_items", "rank_users", "top_k"]


def rank_users(
    model: FactorModel | ScoreModel,
    X: sp.csr_array,
    *,
    seen: sp.csr_array,
    eligible: Bool[np.ndarray, " n_items"] | Bool[np.ndarray, "n_groups n_items"],
    k: int,
    group: Int[np.ndarray, " n_users"] | None = None,
    allowed: sp.csr_array | None = None,
    boost: Num[np.ndarray, " n_items"] | None = None,
    min_score: float | None = None,
    block_size: int | None = None,
    device: str = "cpu",
    products: Products = "auto",
    budget: int = BUDGET,
) -> Iterator[Block]:
    """Yield the k best of the items that may be listed to every row, block by block.

    The score of a factor model is the product in float64, with what its ``beside`` adds and
    less what its ``own`` takes off items of the row, rounded to float32; then boosted. Lists
    depend neither on blocks and threads nor on the device or the precision of its products.

    Args:
        model: scores rows.
        X: histories to score, shape (n_users, n_items).
        seen: items never to be listed, shape (n_users, n_items); values do not matter.
        eligible: items that may be listed, to all or to the users of each group.
        k: length of a list.
        group: row of eligible that a user follows, by default the first.
        allowed: a user with entries is listed only these, shape (n_users, n_items).
        boost: a score s becomes s + (boost - 1) |s|.
        min_score: lowest score that is listed, after boosts.
        block_size: rows at once; by default as many as suit the processor and the budget.
        device: torch device that makes the products of factors.
        products: their precision on a CPU; auto takes bfloat16 where it is faster.
        budget: bytes that may be held beyond the arguments.

    Yields:
        Slice of rows; items (rows, k) int32, best first, ties by item index, padded with -1
        where a row has fewer; scores (rows, k) float32, padded with nan.

    Raises:
        ValueError: shapes disagree, or a score is not finite.
    """
    X = X if X.has_sorted_indices else X.sorted_indices()
    _check_items(model, X=X.shape[1], seen=seen.shape[1], eligible=eligible.shape[-1])
    masks = Masks.checked(
        seen, eligible, group=group, allowed=allowed, boost=boost, min_score=min_score
    )
    rows = _rows(model, X, masks, added=_added(model, X, own_shown=seen is not X))
    engine = Engine(block_size, budget, device, products)
    return ranked(rows, masks, n_rows=X.shape[0], k=k, engine=engine)


def rank_items(
    A: Float[np.ndarray, "n_items n_factors"],
    *,
    k: int,
    eligible: Bool[np.ndarray, " n_items"],
    block_size: int | None = None,
    sources: Int[np.ndarray, " n_sources"] | None = None,
    device: str = "cpu",
    products: Products = "auto",
    budget: int = BUDGET,
) -> Iterator[Block]:
    """Yield the k eligible items most similar to every source, itself left out.

    Args:
        A: item factors with unit rows, so that products are cosines.
        k: length of a list.
        eligible: items that may be listed.
        block_size: sources at once; by default as rank_users.
        sources: item indices to find neighbours of; all items by default.
        device: as rank_users.
        products: as rank_users.
        budget: as rank_users.

    Yields:
        As rank_users, rows being places in sources.

    Raises:
        ValueError: a score is not finite.
    """
    wanted = np.arange(len(A)) if sources is None else sources
    itself = sp.csr_array(
        (np.ones(len(wanted), np.int8), wanted, np.arange(len(wanted) + 1)),
        shape=(len(wanted), len(A)),
    )
    masks = Masks.checked(itself, eligible)
    rows = FactorRows(lambda rows: A[wanted[rows]], A, listed=masks.listed)
    engine = Engine(block_size, budget, device, products)
    return ranked(rows, masks, n_rows=len(wanted), k=k, engine=engine)


def top_k(
    scores: Float[np.ndarray, "batch n_items"], k: int
) -> tuple[Int[np.ndarray, "batch k"], Float[np.ndarray, "batch k"]]:
    """Return the k best columns of every row; -inf marks what is never returned.

    Args:
        scores: finite or -inf.
        k: length of a list.

    Returns:
        Items (batch, k) int32 padded with -1, scores (batch, k) float32 padded with nan; best
        first, equal scores by index, also where a tie is cut by k.

    Raises:
        ValueError: a score is nan or inf.
    """
    n_rows, n_items = scores.shape
    masks = Masks.checked(sp.csr_array((n_rows, n_items)), np.ones(n_items, dtype=bool))
    rows = ScoreRows(lambda rows: scores[rows], n_items)
    return CpuRanker(rows, masks, k).rank(slice(0, n_rows))


def _check_items(model: FactorModel | ScoreModel, **sizes: int) -> None:
    n_items = set(sizes.values())
    if isinstance(model, FactorModel):
        n_items.add(len(model.decoder))
    if len(n_items) > 1:
        raise ValueError(f"model, X, seen and eligible must agree on n_items, got {n_items}")


def _rows(
    model: FactorModel | ScoreModel,
    X: sp.csr_array,
    masks: Masks,
    *,
    added: Callable[[slice], Entries] | None,
) -> Rows:
    if isinstance(model, FactorModel):
        return FactorRows(
            lambda rows: model.encode(X[rows]), model.decoder,
            added=added, listed=masks.listed, extra=masks.extra,
        )  # fmt: skip
    return ScoreRows(lambda rows: model.scores(X[rows]), X.shape[1])


def _added(
    model: FactorModel | ScoreModel, X: sp.csr_array, *, own_shown: bool
) -> Callable[[slice], Entries] | None:
    """Return what gives the entries of a slice of rows that are added to its products."""
    beside, own = getattr(model, "beside", None), getattr(model, "own", None) if own_shown else None
    if beside is None:
        return own and (lambda rows: entries(X, rows, -own(X[rows])))

    def added(rows: slice) -> Entries:
        part = X[rows]
        more = beside(part)
        if own is not None:
            off = sp.csr_array((own(part), part.indices, part.indptr), shape=part.shape)
            more = sp.csr_array(more - off)
            more.sort_indices()
        return entries(more, slice(0, more.shape[0]), more.data)

    return added
