"""Arrays with a row for every item: laid over more items, or made of ratings."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Shaped


def over_items(
    rows: Shaped[np.ndarray, "n_own ..."], known: Bool[np.ndarray, " n_items"]
) -> Shaped[np.ndarray, "n_items ..."]:
    """Return the rows over at least as many items, zeros for those beyond and for unknown ones.

    Args:
        rows: of the first items; left unchanged.
        known: of all items.
    """
    own = known[: len(rows)]
    wide = np.zeros((len(known), *rows.shape[1:]), dtype=rows.dtype)
    wide[: len(rows)][own] = rows[own]
    return wide


def by_item(R: sp.csr_array) -> sp.csr_array:
    """Return the transpose of R, shape (n_items, n_users), indices sorted."""
    items = sp.csr_array(R.T)
    items.sort_indices()
    return items
