"""Why an item is listed: the seen item that adds most to its score, exactly."""

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int

_BUDGET = 16_000_000  # gathered factors and terms held at once, in numbers


def explain(
    A: Float[np.ndarray, "n_items n_factors"], X: sp.csr_array, items: Int[np.ndarray, "batch k"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the seen item that contributes most to every listed item, and its share.

    The score of an unseen item i is the sum over the history of ``x_j (a_j · a_i)``: the
    largest term names the reason (equal terms: the lowest index), and its share is taken of
    the sum of all positive terms.

    Args:
        A: item factors.
        X: histories with weights, shape (batch, n_items), sorted indices.
        items: lists, padded with -1.

    Returns:
        Because (batch, k) int32, -1 where no term is positive; share (batch, k) float32 in
        (0, 1], nan where there is no reason.
    """
    because = np.full(items.shape, -1, dtype=np.int32)
    share = np.full(items.shape, np.nan, dtype=np.float32)
    lengths = np.diff(X.indptr)
    factors = torch.from_numpy(np.require(A, np.float32, ["C", "W"]))
    users = np.argsort(lengths, kind="stable")
    users = users[(lengths[users] > 0) & (items[users] >= 0).any(axis=1)]
    while len(users):
        longest, k = int(lengths[users[-1]]), items.shape[1]
        n_taken = max(1, _BUDGET // ((longest + k) * A.shape[1] + longest * k))
        users, taken = users[:-n_taken], users[-n_taken:]
        because[taken], share[taken] = _explain_group(factors, X, items[taken], taken)
    return because, share


def _explain_group(
    A: torch.Tensor, X: sp.csr_array, items: np.ndarray, users: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    starts, lengths = X.indptr[users], np.diff(X.indptr)[users]
    offset = np.arange(lengths.max())
    real = offset < lengths[:, None]  # (group, longest)
    place = np.where(real, starts[:, None] + offset, 0)
    history = np.where(real, X.indices[place], 0)
    weight = np.where(real, X.data[place], 0.0).astype(np.float32)
    listed = A[torch.from_numpy(np.where(items >= 0, items, 0).astype(np.int64))]
    past = A[torch.from_numpy(history.astype(np.int64))] * torch.from_numpy(weight)[:, :, None]
    terms = torch.bmm(listed, past.transpose(1, 2)).clamp_min_(0.0)  # (group, k, longest)
    largest, position = (each.numpy() for each in terms.max(dim=2))
    reason = np.take_along_axis(history, position, axis=1)
    explained = (largest > 0) & (items >= 0)
    total = terms.sum(dim=2).numpy()
    part = np.divide(largest, total, out=np.full_like(largest, np.nan), where=explained)
    return np.where(explained, reason, -1).astype(np.int32), part
