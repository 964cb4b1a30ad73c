"""The inverse in place, by LAPACK and by torch."""

import tracemalloc

import numpy as np
import pytest

from models.dense_inverse import check_memory, dense_bytes, invert


def positive_definite(n, dtype=np.float64):
    """Return a well-conditioned symmetric matrix."""
    M = np.random.default_rng(0).normal(size=(2 * n, n))
    return (M.T @ M / n + np.eye(n)).astype(dtype)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"], ids=["lapack", "torch"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("n", [1, 3, 700])
def test_inverse_from_the_upper_triangle_alone(device, dtype, tolerance, n):
    """Also where it is mirrored in more than one block; the result is exactly symmetric."""
    G = positive_definite(n, dtype)
    expected = np.linalg.inv(G.astype(np.float64))
    P = invert(np.triu(G), device)
    np.testing.assert_allclose(P, expected, atol=tolerance)
    np.testing.assert_array_equal(P, P.T)


def test_inverse_lies_in_the_memory_of_the_matrix():
    """No second array of that size is ever made."""
    G = np.triu(positive_definite(1500))
    tracemalloc.start()
    P = invert(G)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert P is G
    assert peak < G.nbytes * 0.6  # the mirror works with blocks of 512 rows


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_matrix_that_is_not_positive_definite_is_refused(device):
    """With what helps."""
    with pytest.raises(ArithmeticError, match="raise l2"):
        invert(np.array([[1.0, 2.0], [0.0, 1.0]]), device)


def test_memory_is_checked_before_it_is_taken():
    """The message names the number and what to do; the machine's memory is the default limit."""
    assert dense_bytes(20_000) == 1_600_000_000
    with pytest.raises(MemoryError, match=r"fit into 1.0 GB, got 1.6 GB: use float32, fewer"):
        check_memory(20_000, np.float32, 1_000_000_000)
    with pytest.raises(MemoryError, match=r"got 32000\.0 GB"):
        check_memory(2_000_000, np.float64, None)
    check_memory(20_000, np.float32, 1_600_000_000)
