"""The dense MRF: the regression on centred items, in units of their spread."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.item_item.ease import fit_ease
from models.item_item.mrf import fit_mrf
from tests.models.contract import PersonalModelContract
from tests.models.strategies import histories


class TestMRF(PersonalModelContract):
    """The MRF is a personal model."""

    def fit(self, X):
        """Fit with the published exponent."""
        return fit_mrf(X, l2=0.5)


@given(histories(max_users=8), st.sampled_from([0.0, 0.75, 1.0]), st.integers(0, 8))
def test_columns_are_regressions_of_centred_and_scaled_items(X, alpha, cut):
    """The definition, solved item by item on the data themselves, from shards."""
    centred = X - X.mean(axis=0)
    spread = (centred**2).sum(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0) ** (-alpha / 2)
    scaled = centred * scale
    shards = [sp.csr_array(X[:cut]), sp.csr_array(X[cut:])]
    B = fit_mrf(shards, l2=0.5, alpha=alpha, dtype=np.float64).B
    for item in range(X.shape[1]):
        others = np.delete(scaled, item, axis=1)
        normal = others.T @ others + 0.5 * np.eye(others.shape[1])
        weights = np.linalg.solve(normal, others.T @ scaled[:, item])
        expected = weights * np.delete(scale, item) / scale[item]
        np.testing.assert_allclose(np.delete(B[:, item], item), expected, atol=1e-8)
        assert B[item, item] == 0.0


def test_centred_data_without_scaling_are_ease():
    """The covariance of centred items is their Gram matrix."""
    X = np.array([[1.0, -1, 2], [-1, 1, 0], [2, -2, -1], [-2, 2, -1]])
    rows = sp.csr_array(X)
    unscaled = fit_mrf(rows, l2=1.0, alpha=0.0, dtype=np.float64).B
    np.testing.assert_allclose(unscaled, fit_ease(rows, l2=1.0, dtype=np.float64).B, atol=1e-12)


@pytest.mark.parametrize("alpha", [-0.1, 1.1])
def test_exponent_is_between_nothing_and_correlation(alpha):
    """Other exponents have no meaning."""
    with pytest.raises(ValueError, match=f"between 0 and 1, got {alpha}"):
        fit_mrf(sp.csr_array(np.eye(3)), l2=1.0, alpha=alpha)
