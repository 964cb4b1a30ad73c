"""iALS and BPR through the package implicit; skipped where it is missing."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp

from models.factors.factor_baseline import fit_bpr, fit_ials, mean_items
from tests.models.contract import PersonalModelContract, checkerboard


def ials(X):
    """Return implicit ALS of a small rank."""
    return fit_ials(X, n_factors=4, l2=0.1, weight=5.0, n_epochs=10, seed=0)


def bpr(X):
    """Return BPR of a small rank."""
    return fit_bpr(X, n_factors=4, l2=0.001, learning_rate=0.1, n_epochs=300, seed=0)


class TestIALS(PersonalModelContract):
    """Implicit ALS is a personal model."""

    def fit(self, X):
        """Fit a small rank."""
        pytest.importorskip("implicit", reason="needs hoarfrost[baselines]")
        return ials(X)


class TestBPR(PersonalModelContract):
    """BPR is a personal model, also for rows it was not fitted on."""

    def fit(self, X):
        """Fit a small rank."""
        pytest.importorskip("implicit", reason="needs hoarfrost[baselines]")
        return bpr(X)


def test_users_minimise_the_weighted_loss():
    """At the factors of a row the gradient is zero."""
    pytest.importorskip("implicit", reason="needs hoarfrost[baselines]")
    X = checkerboard()
    model = ials(X)
    Y, u = model.decoder.astype(np.float64), model.encode(X[[0]])[0].astype(np.float64)
    x = X[[0]].toarray()[0]
    confidence = np.where(x > 0, 5.0 * x, 1.0)
    gradient = Y.T @ (confidence * (Y @ u - (x > 0))) + 0.1 * u
    np.testing.assert_allclose(gradient, 0.0, atol=1e-4)


def test_mean_items_are_of_the_history():
    """Whatever the weights; zeros without one."""
    X = sp.csr_array(np.array([[5.0, 0, 1], [0, 0, 0]]))
    Y = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    assert mean_items(X, Y).tolist() == [[3, 4], [0, 0]]


@pytest.mark.parametrize(("fit", "module"), [(ials, "implicit.cpu.als"), (bpr, "implicit.cpu.bpr")])
def test_missing_package_is_named(fit, module, monkeypatch):
    """With what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install hoarfrost\[baselines\]"):
        fit(checkerboard())
