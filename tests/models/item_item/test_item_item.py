"""Item-item models: scores, sizes and neighbours, dense and sparse alike."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.item_item.item_item import ItemItem, SparseItemItem, rank_similar
from tests.models.strategies import histories

B = np.array([[0, 2, -1, 1], [1, 0, 0, 1], [0, 0, 0, 0], [3, 4, 5, 0]], np.float32)
EVERYTHING = np.ones(4, dtype=bool)


def models():
    """Return the same B in three forms; the product of the last is B less the identity."""
    product = sp.csr_array(np.eye(4, dtype=np.float32)), sp.csr_array(B - np.eye(4, dtype="f4"))
    return [ItemItem(B), SparseItemItem(sp.csr_array(B)), SparseItemItem(*product)]


@given(histories(), st.data())
def test_scores_are_the_product(X, data):
    """In every form, float32."""
    n_items = X.shape[1]
    weights = data.draw(
        arrays(np.float32, (n_items, n_items), elements=st.integers(-3, 3).map(float))
    )
    np.fill_diagonal(weights, 0.0)
    rest = weights - np.eye(n_items, dtype=np.float32)
    forms = [
        ItemItem(weights), ItemItem(weights.astype(np.float64)),
        SparseItemItem(sp.csr_array(weights)),
        SparseItemItem(sp.csr_array(rest), sp.csr_array(np.eye(n_items, dtype=np.float32))),
    ]  # fmt: skip
    for model in forms:
        scores = model.scores(sp.csr_array(X))
        assert scores.dtype == np.float32
        dense = scores.toarray() if sp.issparse(scores) else scores
        np.testing.assert_array_equal(dense, (X @ weights).astype(np.float32))


def test_sparse_scores_are_sorted():
    """So that ranking reads them without a copy."""
    for model in models()[1:]:
        assert model.scores(sp.csr_array(np.ones((2, 4), np.float32))).has_sorted_indices


@pytest.mark.parametrize("model", models(), ids=["dense", "sparse", "product"])
def test_neighbours_are_what_a_single_item_recommends(model):
    """Best first, itself and what is not positive left out."""
    ((rows, items, scores),) = rank_similar(model, k=3, eligible=EVERYTHING)
    assert rows == slice(0, 4)
    assert items.tolist() == [[1, 3, -1], [0, 3, -1], [-1, -1, -1], [2, 1, 0]]
    assert scores[3].tolist() == [5, 4, 3]


@pytest.mark.parametrize("model", models(), ids=["dense", "sparse", "product"])
def test_neighbours_of_some_items_among_the_eligible(model):
    """Rows are places in sources."""
    eligible = np.array([True, False, True, True])
    ((_, items, _),) = rank_similar(model, k=2, eligible=eligible, sources=np.array([3, 0]))
    assert items.tolist() == [[2, 0], [3, -1]]


def test_sizes_count_what_is_stored():
    """Values, and indices where there are any."""
    dense, sparse, product = models()
    assert dense.n_bytes == 64
    assert sparse.n_bytes == 8 * np.count_nonzero(B) + 4 * 5
    assert product.n_bytes > sparse.n_bytes
