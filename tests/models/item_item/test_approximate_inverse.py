"""The approximate inverse of a unit lower triangular matrix."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from models.item_item.approximate_inverse import mean_square_residual, minimal_residual_inverse


def unit_lower(n, density, seed=0):
    """Return a sparse unit lower triangular matrix."""
    rng = np.random.default_rng(seed)
    L = np.tril(rng.normal(size=(n, n)) * 0.3 * (rng.random((n, n)) < density), -1)
    M = sp.csc_array((L + np.eye(n)).astype(np.float32))
    M.sort_indices()
    return M


def test_scans_come_nearer_to_the_inverse():
    """With room for all entries, four scans leave a hundredth of the first guess's residual."""
    L = unit_lower(150, 0.1)
    left = [
        mean_square_residual(
            L, minimal_residual_inverse(L, budget=150**2, n_scans=s, n_finetune_steps=0)
        )
        for s in range(5)
    ]
    assert left == sorted(left, reverse=True)
    assert left[4] < 1e-2 * left[0]


def test_finetuning_mends_the_worst_columns():
    """Without any scan before it."""
    L = unit_lower(150, 0.1)
    plain, tuned = (
        minimal_residual_inverse(L, budget=150**2, n_scans=0, n_finetune_steps=steps)
        for steps in (0, 3)
    )
    assert mean_square_residual(L, tuned) < 0.5 * mean_square_residual(L, plain)


def test_residual_is_that_of_the_product():
    """Computed column by column, without the product."""
    L, M = unit_lower(40, 0.3), unit_lower(40, 0.3, seed=1)
    R = np.eye(40) - L.toarray().astype(np.float64) @ M.toarray()
    assert mean_square_residual(L, M) == pytest.approx(np.mean(np.sum(R**2, axis=0)))


def test_budget_is_kept_and_threads_change_nothing(monkeypatch):
    """The same bits on one thread and on three, however often entries are selected."""
    L = unit_lower(300, 0.05)
    found = []
    for n_threads, room in ((1, 1 << 20), (3, 1)):
        monkeypatch.setattr(torch, "get_num_threads", lambda n=n_threads: n)
        monkeypatch.setattr("models.item_item.approximate_inverse._LEAST_ROOM", room)
        found.append(minimal_residual_inverse(L, budget=1000, n_scans=3, n_finetune_steps=2))
    assert found[0].nnz == 1000
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))


def test_identity_is_its_own_inverse():
    """A residual that vanishes moves nothing and divides by nothing."""
    identity = sp.csc_array(sp.eye_array(5, dtype=np.float32, format="csc"))
    M = minimal_residual_inverse(identity, budget=25, n_scans=4, n_finetune_steps=3)
    np.testing.assert_array_equal(M.toarray(), np.eye(5))
