"""EDLAE: the regression on inputs that drop out, in expectation."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from models.item_item.ease import fit_ease
from models.item_item.edlae import fit_edlae
from tests.models.contract import PersonalModelContract

X = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 1], [1, 1, 1, 0], [0, 0, 1, 2]], float)


class TestEDLAE(PersonalModelContract):
    """EDLAE is a personal model."""

    def fit(self, X):
        """Fit with a dropout of a third."""
        return fit_edlae(X, dropout=0.33, l2=1.0)


def test_without_dropout_it_is_ease():
    """To the bit."""
    rows = sp.csr_array(X)
    np.testing.assert_array_equal(fit_edlae(rows, dropout=0.0, l2=1.0).B, fit_ease(rows, l2=1.0).B)


@pytest.mark.parametrize("dropout", [0.2, 0.5])
def test_weights_minimise_the_expected_loss(dropout):
    """All 16 ways in which the items of a row drop out, each with its probability."""
    kept = np.array(list(itertools.product([0.0, 1.0], repeat=4)))
    chance = np.prod(np.where(kept == 1.0, 1.0 - dropout, dropout), axis=1)
    inputs = (X[:, None, :] * kept).reshape(-1, 4) / (1.0 - dropout)
    root = np.sqrt(np.tile(chance, len(X)))[:, None]
    B = fit_edlae(sp.csr_array(X), dropout=dropout, l2=0.7, dtype=np.float64).B
    for item in range(4):
        A = np.delete(inputs, item, axis=1) * root
        target = np.repeat(X[:, item], 16) * root[:, 0]
        expected = np.linalg.solve(A.T @ A + 0.7 * np.eye(3), A.T @ target)
        np.testing.assert_allclose(np.delete(B[:, item], item), expected, atol=1e-12)


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_is_a_probability_below_one(dropout):
    """At 1 nothing would be left."""
    with pytest.raises(ValueError, match=f"below 1, got {dropout}"):
        fit_edlae(sp.csr_array(X), dropout=dropout, l2=1.0)
