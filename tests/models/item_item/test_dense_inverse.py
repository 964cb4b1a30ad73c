"""The inverse in place, block by block."""

import numpy as np
import pytest
from torch.profiler import profile

from models.item_item.dense_inverse import check_memory, dense_bytes, invert


def positive_definite(n, dtype=np.float64):
    """Return a well-conditioned symmetric matrix."""
    M = np.random.default_rng(0).normal(size=(2 * n, n))
    return (M.T @ M / n + np.eye(n)).astype(dtype)


@pytest.mark.parametrize("block", [1, 3, 256, 1024])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_inverse_from_the_upper_triangle_alone(dtype, tolerance, block, monkeypatch):
    """In blocks of any size; the result is exactly symmetric."""
    monkeypatch.setattr("models.item_item.dense_inverse._BLOCK", block)
    for n in (1, 2, 7, 40) if block < 256 else (256, 700):
        G = positive_definite(n, dtype)
        P = invert(np.triu(G))
        np.testing.assert_allclose(P, np.linalg.inv(G.astype(np.float64)), atol=tolerance)
        np.testing.assert_array_equal(P, P.T)


def test_ill_conditioned_matrix_is_inverted_as_well_as_by_lapack():
    """A condition of a million in float64: the error stays far under its inverse."""
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.normal(size=(300, 300)))
    G = Q * np.geomspace(1e-3, 1e3, 300) @ Q.T
    exact = Q / np.geomspace(1e-3, 1e3, 300) @ Q.T
    assert np.abs(invert(np.triu(G)) - exact).max() < 1e-8 * np.abs(exact).max()


def test_inverse_lies_in_the_memory_of_the_matrix(monkeypatch):
    """No second array of that size is ever made: strips are a tenth of it here."""
    monkeypatch.setattr("models.item_item.dense_inverse._BLOCK", 64)
    G = np.triu(positive_definite(1500))
    with profile(profile_memory=True) as spent:
        P = invert(G)
    assert P is G
    largest = max(event.cpu_memory_usage for event in spent.events())
    assert 0 < largest < G.nbytes / 10


@pytest.mark.parametrize("block", [1, 1024])
def test_matrix_that_is_not_positive_definite_is_refused(block, monkeypatch):
    """With what helps, in whichever block it shows."""
    monkeypatch.setattr("models.item_item.dense_inverse._BLOCK", block)
    with pytest.raises(ArithmeticError, match="raise l2"):
        invert(np.array([[1.0, 2.0], [0.0, 1.0]]))


def test_memory_is_checked_before_it_is_taken():
    """The message names the number and what to do; the machine's memory is the default limit."""
    assert dense_bytes(20_000) == 1_600_000_000
    with pytest.raises(MemoryError, match=r"fit into 1.0 GB, got 1.6 GB: use float32, fewer"):
        check_memory(20_000, np.float32, 1_000_000_000)
    with pytest.raises(MemoryError, match=r"got 32000\.0 GB"):
        check_memory(2_000_000, np.float64, None)
    check_memory(20_000, np.float32, 1_600_000_000)
