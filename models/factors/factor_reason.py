"""Why an item is listed by a factor model: the seen item that adds most to its score, exactly."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int

from models.elsa.elsa_content import ContentELSA
from models.factors.factor_baseline import BPR, IALS


def explain_factors(
    model: IALS | BPR | ContentELSA, X: sp.csr_array, items: Int[np.ndarray, "batch k"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the seen item that contributes most to every listed item, and its share.

    A user's factors are a sum over the history, so the score of an item is one too: the largest
    term names the reason (equal terms: the lowest index), and its share is taken of the sum of
    all positive terms. A listed item's own entry is no reason for it.

    Args:
        model: fitted.
        X: histories with weights, shape (batch, n_items), sorted indices.
        items: lists, padded with -1.

    Returns:
        Because (batch, k) int32, -1 where no term is positive; share (batch, k) float32 in
        (0, 1], nan where there is no reason.
    """
    because = np.full(items.shape, -1, dtype=np.int32)
    share = np.full(items.shape, np.nan, dtype=np.float32)
    for user, parts in enumerate(model.parts(X)):
        history = X.indices[X.indptr[user] : X.indptr[user + 1]]
        listed = np.flatnonzero(items[user] >= 0)
        if not len(history) or not len(listed):
            continue
        terms = parts @ model.decoder[items[user, listed]].T.astype(np.float64)
        terms[history[:, None] == items[user, listed]] = 0.0
        terms = np.maximum(terms, 0.0)
        best, total = terms.argmax(axis=0), terms.sum(axis=0)
        found = total > 0.0
        because[user, listed[found]] = history[best[found]]
        share[user, listed[found]] = (terms.max(axis=0)[found] / total[found]).astype(np.float32)
    return because, share
