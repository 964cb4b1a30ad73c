"""Starts: unit rows, nothing left at zero, and a warm start that is worth its name."""

import numpy as np
import pytest
import scipy.sparse as sp

from models.elsa.elsa import fit_elsa
from models.elsa.elsa_start import spectral_start, warm_start, xavier_start
from models.split.fold_in import fold_in_split

N_ITEMS = 60


def shop(seed: int, n_users: int = 400) -> sp.csr_array:
    """Return users of six tastes; every row has an item, item 7 has no user."""
    rng = np.random.default_rng(seed)
    taste = rng.integers(0, 6, n_users)[:, None] == np.arange(N_ITEMS) % 6
    X = rng.random((n_users, N_ITEMS)) < np.where(taste, 0.5, 0.03)
    X[np.arange(n_users), rng.integers(8, N_ITEMS, n_users)] = True
    X[:, 7] = False
    return sp.csr_array(X.astype(np.float32))


def starts() -> dict:
    """Return every start over the shop, the warm one with ten new items."""
    X = shop(0)
    earlier = fit_elsa(X, n_factors=8, n_epochs=3, batch_size=64, learning_rate=0.1, seed=0).A
    earlier = earlier.copy()
    earlier[-10:] = 0.0
    return {
        "xavier": xavier_start(N_ITEMS, 8, 0),
        "spectral": spectral_start(X, 8, 0),
        "warm": warm_start(X, earlier, 8, 0),
        "narrower": warm_start(X, earlier, 4, 0),
        "wider": warm_start(X, earlier, 12, 0),
    }


@pytest.mark.parametrize("name", ["xavier", "spectral", "warm", "narrower", "wider"])
def test_rows_are_unit_and_lengths_positive(name):
    """Also of an item without users and of a new one."""
    A, norm = starts()[name]
    assert A.dtype == norm.dtype == np.float32
    assert A.shape == (N_ITEMS, {"narrower": 4, "wider": 12}.get(name, 8))
    np.testing.assert_allclose(np.linalg.norm(A, axis=1), 1.0, rtol=1e-5)
    assert (norm > 0).all()


@pytest.mark.parametrize("name", ["spectral", "warm", "narrower", "wider"])
def test_tastes_are_told_apart_before_the_first_step(name):
    """New items too start beside those they are bought with."""
    A, _ = starts()[name]
    items = np.delete(np.arange(N_ITEMS), 7)
    cosine, same = A[items] @ A[items].T, np.equal.outer(items % 6, items % 6)
    np.fill_diagonal(cosine, np.nan)
    assert np.nanmean(cosine[same]) > np.nanmean(cosine[~same]) + 0.3
    new = items >= N_ITEMS - 10
    assert np.nanmean(cosine[new][same[new]]) > np.nanmean(cosine[new][~same[new]]) + 0.3


def test_narrower_start_keeps_the_leading_directions():
    """Cosines of the earlier model survive as far as the rank allows."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(N_ITEMS, 3)) @ rng.normal(size=(3, 8))
    A = (A / np.linalg.norm(A, axis=1, keepdims=True)).astype(np.float32)
    narrow, _ = warm_start(shop(0), A, 3, 0)
    np.testing.assert_allclose(narrow @ narrow.T, A @ A.T, atol=1e-4)


def test_caller_keeps_the_earlier_model():
    """A registered model's arrays are mapped files."""
    earlier = np.eye(N_ITEMS, 8, dtype=np.float32)
    before = earlier.copy()
    earlier.setflags(write=False)
    warm_start(shop(0), earlier, 8, 0)
    np.testing.assert_array_equal(earlier, before)


def test_warm_start_needs_fewer_epochs():
    """After one epoch a warm fit is as good as a cold one after three."""
    fold_in, target = fold_in_split(shop(1), target_share=0.3, seed=0)
    asked = np.flatnonzero(np.diff(target.indptr))
    settings = {
        "n_factors": 8, "batch_size": 64, "learning_rate": 0.1, "seed": 0,
        "validation": (fold_in[asked], target[asked]),
    }  # fmt: skip
    curves: dict[str, list[float]] = {"cold": [], "warm": []}

    def fit(name, X, n_epochs, **more):
        def on_epoch(_epoch, metrics, _state):
            curves[name].append(metrics["ndcg@100"])

        return fit_elsa(X, n_epochs=n_epochs, on_epoch=on_epoch, **settings | more)

    cold = fit("cold", shop(0), 9)
    earlier = cold.A.copy()
    earlier[-3:] = 0.0  # 5 % of the items are new
    fit("warm", shop(2), 3, warm=earlier)
    assert max(curves["warm"]) > max(curves["cold"]) - 0.01
    assert curves["warm"][0] > curves["cold"][0]
