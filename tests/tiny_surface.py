"""Rules and fallbacks of a surface as arrays, without the files they come from."""

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.surface import SurfaceConfig
from models.popularity import ranked_items
from tasks.judging.contender import from_arrays
from tasks.lists.ranker import Ranker
from tasks.lists.rules import SurfaceRules
from tasks.lists.tiers import Tiers
from tests.tiny_lake import DAY


def rules_of(surface, eligible, category=None, caps=(), boost=None):
    """Rules of a surface: everything that the files say is given."""
    n_groups, n_items = eligible.shape
    nothing = np.full(n_items, -1, np.int32)
    return SurfaceRules(
        name="home", surface=surface, segments=("s",) * (n_groups - 1),
        segment=np.arange(n_groups, dtype=np.int32), eligible=eligible,
        category=nothing if category is None else category.astype(np.int32),
        categories=tuple(map(str, range(len(caps)))), caps=np.array(caps, np.int32), boost=boost,
        of_user=None, allow=None, block=None, items=None,
    )  # fmt: skip


def tiers_of(popularity, n_groups=1):
    """One popular list, and a newest that knows all items."""
    popular, weights = ranked_items(np.where(popularity > 0, popularity, np.nan)[None])
    newest, age = ranked_items(-np.arange(len(popularity), dtype=float)[None])
    return Tiers(popular, weights, np.zeros(n_groups, np.int32), newest, age)


def ranker_of(A, counts, popularity, *, n_top=2, available=None, item_ids=None, **more):
    """A ranker of one group whose surface has no rule but its length."""
    n_items = len(popularity)
    eligible = np.ones(n_items, bool) if available is None else np.array(available)
    return Ranker(
        champion=from_arrays(A, counts, np.zeros(2), n_items=n_items),
        tiers=tiers_of(np.array(popularity)),
        content=None,
        rules=rules_of(SurfaceConfig(n_top=n_top), eligible[None]),
        item_ids=pl.Series([f"i{k}" for k in range(n_items)]) if item_ids is None else item_ids,
        run_date=DAY,
        **more,
    )


def sparse(mask):
    """A CSR array of the values."""
    return sp.csr_array(np.asarray(mask, dtype=np.float32))
