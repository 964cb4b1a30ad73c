"""Vectors of texts: alike where telling terms are shared, nothing where there are none."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.content.text_vector import fit_text_vectors

COUNTS = st.sampled_from([0, 0, 0, 1, 2, 5])


def counted(dense):
    """Sparse counts as a vectoriser makes them."""
    return sp.csr_array(np.asarray(dense, dtype=np.float32))


@given(arrays(np.int64, (6, 9), elements=COUNTS), st.integers(1, 12))
def test_with_all_topics_products_are_those_of_the_weights(dense, n_dimensions):
    """Topics of full strength 1/2 power: against an eigendecomposition in float64."""
    made = fit_text_vectors(counted(dense), n_dimensions=n_dimensions, seed=0)
    n_with = (dense > 0).sum(axis=0)
    telling = (n_with >= 2) & (n_with < 6)
    if made is None:
        assert not telling.any()
        return
    assert made.terms.tolist() == np.flatnonzero(telling).tolist()
    T = np.where(dense > 0, 1.0 + np.log(np.maximum(dense, 1)), 0.0)[:, telling]
    T *= np.log(7.0 / (1.0 + n_with[telling]))
    T /= np.maximum(np.linalg.norm(T, axis=1, keepdims=True), 1e-12)
    V, known = made.vectors(counted(dense))
    assert V.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(V, axis=1), known, atol=1e-5)
    if n_dimensions >= min(telling.sum(), 6):  # nothing is cut off
        np.testing.assert_array_equal(known, T.any(axis=1))
        left, strength, _ = np.linalg.svd(T, full_matrices=False)
        full = left * np.sqrt(np.where(strength > 1e-6, strength, 0.0))
        full /= np.maximum(np.linalg.norm(full, axis=1, keepdims=True), 1e-12)
        both = np.outer(known, known)
        np.testing.assert_allclose(V @ V.T, np.where(both, full @ full.T, 0.0), atol=5e-3)


def test_texts_that_share_telling_terms_are_alike():
    """Two about tea, two about lamps; all share a word that says nothing."""
    dense = [[1, 1, 1, 0, 0], [1, 1, 2, 0, 0], [1, 0, 0, 1, 1], [1, 0, 0, 1, 1]]
    made = fit_text_vectors(counted(dense), n_dimensions=2, seed=0)
    V, known = made.vectors(counted([*dense, [3, 0, 0, 0, 0]]))
    assert known.tolist() == [True] * 4 + [False]
    assert not V[4].any()
    likeness = V[:4] @ V[:4].T
    assert likeness[0, 1] > 0.95
    assert likeness[2, 3] > 0.95
    assert np.abs(likeness[:2, 2:]).max() < 0.05


def test_the_same_seed_gives_the_same_bits():
    """And so do vectors made of the texts in parts."""
    dense = np.random.default_rng(0).poisson(0.3, (50, 30))
    first, again = (fit_text_vectors(counted(dense), n_dimensions=8, seed=1) for _ in range(2))
    whole, _ = first.vectors(counted(dense))
    parts = [again.vectors(counted(part))[0] for part in (dense[:7], dense[7:])]
    np.testing.assert_array_equal(whole, np.vstack(parts))
    assert whole.shape == (50, 8)


def test_texts_with_nothing_in_common_have_no_vectors():
    """Each has a word of its own, and all have one."""
    assert fit_text_vectors(counted([[1, 0, 1], [0, 1, 1]]), n_dimensions=2, seed=0) is None
    assert fit_text_vectors(counted(np.zeros((3, 2))), n_dimensions=2, seed=0) is None
