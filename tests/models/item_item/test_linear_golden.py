"""Golden values and properties of the linear family that concern more than one model."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.elsa.elsa import ELSA
from models.elsa.elsa_content import ContentELSA
from models.elsa.elsa_start import unit_rows
from models.item_item.ease import fit_ease
from models.item_item.item_item import rank_similar
from models.item_item.sansa import fit_sansa
from tests.models.item_item.test_sansa import weights
from tests.models.strategies import histories

W = np.array([[0.5, -0.2], [0.1, 0.4], [-0.3, 0.6], [0.7, 0.2]])
X = sp.csr_array(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 1]], np.float32))
FIRST_FORWARD = [
    [-0.1351132, -0.1351132, 0.01184728, 1.29044616],
    [-0.88252252, 0.7592566, 0.7592566, 0.31543392],
    [0.04331439, 1.12386585, -0.93169785, 0.60643517],
]


@pytest.mark.parametrize("model", [ELSA, lambda A: ContentELSA(A, A, "decoder")])
def test_first_forward_of_elsa(model):
    """Also as the case of B = E D in which both sides are alike."""
    A = unit_rows(W)[0].astype(np.float32)
    np.testing.assert_allclose(model(A).scores(X), FIRST_FORWARD, atol=1e-6)


@given(histories(max_users=8), st.sampled_from([0.5, 2.0, 10.0]))
def test_weights_of_ease_share_a_symmetric_inverse(X, l2):
    """B_ij P_jj = B_ji P_ii, P symmetric."""
    P = np.linalg.inv(X.T @ X + l2 * np.eye(X.shape[1]))
    B = fit_ease(sp.csr_array(X), l2=l2, dtype=np.float64).B
    shared = B * np.diag(P)
    np.testing.assert_allclose(shared, shared.T, atol=1e-10)
    np.testing.assert_allclose(shared, -P + np.diag(np.diag(P)), atol=1e-10)


@pytest.mark.parametrize(
    ("density", "n_scans", "n_finetune_steps", "distance"),
    [(1.0, 0, 0, 0.906), (1.0, 1, 0, 0.168), (1.0, 2, 0, 0.073), (0.2, 4, 10, 0.56),
     (0.05, 4, 10, 0.91)],
)  # fmt: skip
def test_distance_of_sansa_from_ease(density, n_scans, n_finetune_steps, distance):
    """The reference's relative Frobenius distance, on random matrices such as it was given."""
    found = []
    for seed in range(3):
        rows = sp.csr_array(
            (np.random.default_rng(seed).random((400, 60)) < 0.12).astype(np.float32)
        )
        B = fit_ease(rows, l2=5.0, dtype=np.float64).B
        model = fit_sansa(
            rows, l2=5.0, density=density, n_scans=n_scans, n_finetune_steps=n_finetune_steps,
            factorizer="dense",
        )  # fmt: skip
        found.append(np.linalg.norm(weights(model) - B) / np.linalg.norm(B))
    assert np.mean(found) == pytest.approx(distance, rel=0.09)


@pytest.mark.parametrize("factorizer", ["icf", "dense", "cholmod"])
def test_sansa_fits_what_its_authors_package_fails_on(factorizer):
    """Three items at density 1, whose residual vanishes; an item that nobody took."""
    if factorizer == "cholmod":
        pytest.importorskip("sksparse.cholmod", reason="needs hoarfrost[cholmod]")
    three = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]], np.float32)
    for rows in (three, np.insert(three, 1, 0.0, axis=1)):
        model = fit_sansa(sp.csr_array(rows), l2=1.0, density=1.0, n_scans=6, factorizer=factorizer)
        B = weights(model)
        if factorizer != "icf":
            expected = fit_ease(sp.csr_array(rows), l2=1.0).B
            np.testing.assert_allclose(B, expected, atol=1e-5)
        np.testing.assert_allclose(np.diag(B), 0.0, atol=1e-6)
        assert not B[~rows.any(axis=0)].any()


def test_neighbours_by_sansa_are_never_seen_items():
    """Where scores are negative the reference lists seen items, or fails on short rows."""
    rows = sp.csr_array((np.random.default_rng(0).random((60, 20)) < 0.2).astype(np.float32))
    model = fit_sansa(rows, l2=1.0, density=0.15)
    lists = rank_similar(model, k=19, eligible=np.ones(20, dtype=bool))
    n_listed = 0
    for block, items, scores in lists:
        itself = np.arange(20)[block]
        assert not (items == itself[:, None]).any()
        assert (scores[items >= 0] > 0.0).all()
        n_listed += int((items >= 0).sum())
    assert 0 < n_listed < 20 * 19
