"""SANSA: EASE at full density, golden values, and what the published code gets wrong."""

import numpy as np
import pytest
import scipy.sparse as sp

from models.item_item.approximate_inverse import minimal_residual_inverse
from models.item_item.cholesky_factor import dense_factor, largest_entries, unit_factor
from models.item_item.ease import fit_ease
from models.item_item.incomplete_cholesky import gram_norms
from models.item_item.sansa import fit_sansa, joined_weights, scaled_items
from tests.models.contract import PersonalModelContract
from tests.models.item_item.test_ease import X as SMALL

RANDOM = sp.csr_array((np.random.default_rng(0).random((400, 60)) < 0.12).astype(np.float32))


def weights(model):
    """Return B as the scores use it."""
    return np.asarray((model.left @ model.right).toarray(), np.float64) + np.eye(
        model.left.shape[0]
    )


class TestSANSA(PersonalModelContract):
    """SANSA is a personal model."""

    def fit(self, X):
        """Fit at half density."""
        return fit_sansa(X, l2=0.1, density=0.5)


def error(model, X, l2):
    """Return the largest difference from EASE's weights."""
    return np.abs(weights(model) - fit_ease(X, l2=l2, dtype=np.float64).B).max()


def test_full_density_is_ease():
    """Within 5e-6 after four scans."""
    model = fit_sansa(
        RANDOM, l2=5.0, density=1.0, n_scans=4, n_finetune_steps=10,
        factorizer="dense",
    )  # fmt: skip
    assert error(model, RANDOM, 5.0) < 5e-6


def test_incomplete_factor_at_full_density_is_ease_of_the_scaled_data():
    """The published scaling is not undone."""
    model = fit_sansa(RANDOM, l2=1.0, density=1.0, n_finetune_steps=10)
    scaled = scaled_items(RANDOM, gram_norms(RANDOM)[0])
    assert error(model, scaled, 1.0) < 5e-6
    assert error(model, RANDOM, 1.0) > 0.05


@pytest.mark.parametrize(("n_scans", "largest"), [(0, 0.306), (1, 0.108), (2, 0.0226), (3, 0.0023)])
def test_golden_errors_of_the_scans(n_scans, largest):
    """As the reference makes them, in the order of items that it takes."""
    factor = dense_factor(SMALL, l2=1.0, density=1.0, order=np.array([3, 2, 1, 0]))
    K = minimal_residual_inverse(factor.L, budget=16, n_scans=n_scans, n_finetune_steps=0)
    assert error(joined_weights(factor, K), SMALL, 1.0) == pytest.approx(largest, rel=0.03)


def test_golden_values_of_both_factors():
    """Three items that are all alike."""
    X = sp.csr_array(np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]], np.float32))
    off = ~np.eye(3, dtype=bool)
    assert scaled_items(X, gram_norms(X)[0]).data[0] == pytest.approx(0.4924791)
    scaled = weights(fit_sansa(X, l2=1.0, density=1.0))
    np.testing.assert_allclose(scaled[off], 0.2192236, atol=1e-6)
    plain = weights(fit_sansa(X, l2=1.0, density=1.0, factorizer="dense"))
    np.testing.assert_allclose(plain[off], 1 / 3, atol=1e-6)


@pytest.mark.parametrize("factorizer", ["icf", "dense"])
@pytest.mark.parametrize("density", [0.02, 0.1, 0.4])
def test_size_and_diagonal(factorizer, density):
    """Both factors stay within the density, and no item recommends itself."""
    model = fit_sansa(RANDOM, l2=2.0, density=density, factorizer=factorizer)
    budget = int(np.ceil(max(density, 2 / 60) * 3600))
    assert max(model.left.nnz, model.right.nnz) <= budget
    np.testing.assert_allclose(np.diag(weights(model)), 0.0, atol=1e-6)
    parts = (model.left, model.right)
    assert model.n_bytes == sum(
        each.nbytes for part in parts for each in (part.data, part.indices, part.indptr)
    )


def test_more_density_comes_nearer_to_ease():
    """The Frobenius distance falls."""
    B = fit_ease(RANDOM, l2=5.0).B
    distance = [
        np.linalg.norm(weights(fit_sansa(RANDOM, l2=5.0, density=d, factorizer="dense")) - B)
        for d in (0.05, 0.2, 0.5)
    ]
    assert distance == sorted(distance, reverse=True)
    assert distance[2] < 0.01 * distance[0]


def test_item_nobody_took_is_harmless():
    """Its row and column are zero."""
    wider = sp.csr_array(np.insert(SMALL.toarray(), 2, 0.0, axis=1))
    for factorizer in ("icf", "dense"):
        B = weights(fit_sansa(wider, l2=1.0, density=1.0, factorizer=factorizer))
        assert not B[2].any()
        assert not B[:, 2].any()


def test_cholmod_factorises_the_same_matrix():
    """Its own order of items, the same product; skipped where it is not installed."""
    pytest.importorskip("sksparse.cholmod", reason="needs hoarfrost[cholmod]")
    model = fit_sansa(RANDOM, l2=5.0, density=1.0, n_finetune_steps=10, factorizer="cholmod")
    assert error(model, RANDOM, 5.0) < 5e-6


def test_cholmod_is_asked_for_in_one_sentence(monkeypatch):
    """Where scikit-sparse is missing."""
    monkeypatch.setitem(__import__("sys").modules, "sksparse.cholmod", None)
    with pytest.raises(ImportError, match="needs scikit-sparse, which is built from source"):
        fit_sansa(SMALL, l2=1.0, density=1.0, factorizer="cholmod")


@pytest.mark.parametrize("budget", [3, 4, 5, 6])
def test_factor_is_cut_to_its_largest_entries(budget):
    """The diagonal is never dropped, small as it may be."""
    L = np.array([[0.1, 0, 0], [3.0, 0.2, 0], [-4.0, 2.0, 0.3]])
    kept = largest_entries(sp.csc_array(L), budget)
    expected = np.where(np.abs(L) >= {3: 9.0, 4: 4.0, 5: 3.0, 6: 0.0}[budget], L, 0.0)
    np.fill_diagonal(expected, np.diag(L))
    np.testing.assert_array_equal(kept.toarray(), expected)
    factor = unit_factor(kept, np.arange(3))
    np.testing.assert_allclose(factor.d, [0.01, 0.04, 0.09])
    np.testing.assert_allclose(factor.L.toarray(), expected / np.diag(L), rtol=1e-6)


def test_dense_factor_refuses_large_catalogues():
    """Before it takes memory."""
    wide = sp.csr_array((1, 30_001), dtype=np.float32)
    with pytest.raises(ValueError, match="at most 30000 items, got 30001: use icf"):
        dense_factor(wide, l2=1.0, density=0.1, order=np.arange(30_001))


@pytest.mark.parametrize("density", [0.0, 1.1, float("nan")])
def test_density_is_a_share(density):
    """Of all pairs of items."""
    with pytest.raises(ValueError, match=f"at most 1, got {density}"):
        fit_sansa(SMALL, l2=1.0, density=density)
