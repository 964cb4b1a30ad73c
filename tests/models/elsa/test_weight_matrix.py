"""Weights from whatever holds them."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from torch.utils.data import DataLoader

from models.elsa.weight_matrix import weight_matrix
from tests.models.strategies import histories

KINDS = {
    **{
        f"{form}_{kind}": getattr(sp, f"{form}_{kind}")
        for form in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")
        for kind in ("array", "matrix")
    },
    "array": np.array,
    "matrix": np.matrix,
    "tensor": torch.tensor,
    "tensor coo": lambda X: torch.tensor(X).to_sparse_coo(),
    "tensor csr": lambda X: torch.tensor(X).to_sparse_csr(),
    "tensor csc": lambda X: torch.tensor(X).to_sparse_csc(),
    "tensor with a graph": lambda X: torch.tensor(X, requires_grad=True),
    "loader": lambda X: DataLoader(torch.tensor(X), batch_size=2),
}


@given(X=histories())
def test_every_kind_is_the_same_matrix(X):
    """Dense or sparse, of scipy, numpy or torch."""
    for kind, make in KINDS.items():
        found = weight_matrix(make(X), X.shape[1])
        assert isinstance(found, sp.csr_array), kind
        assert found.dtype == np.float32, kind
        assert found.has_canonical_format, kind
        assert found.nnz == np.count_nonzero(X), kind
        np.testing.assert_array_equal(found.toarray(), X, err_msg=kind)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float16, np.float64])
def test_every_number_is_a_weight(dtype):
    """Booleans, integers and floats."""
    X = np.array([[0, 1, 1], [1, 0, 0]])
    kinds = [X.astype(dtype), torch.tensor(X.astype(dtype))]
    if dtype != np.float16:  # scipy has none
        kinds += [sp.csr_array(X.astype(dtype)), sp.coo_matrix(X.astype(dtype))]
    for data in kinds:
        np.testing.assert_array_equal(weight_matrix(data, 3).toarray(), X)
    bfloat16 = torch.tensor(X).to(torch.bfloat16)
    np.testing.assert_array_equal(weight_matrix(bfloat16, 3).toarray(), X)


def test_repeated_and_stored_zero_entries_are_settled_without_touching_the_input():
    """Weights of the same item add up; what is zero is no interaction."""
    weights, items = np.array([1.0, 2.0, 0.0, 3.0], np.float32), np.array([2, 2, 0, 1])
    X = sp.csr_array((weights, items, np.array([0, 3, 4])), shape=(2, 3))
    found = weight_matrix(X, 3)
    np.testing.assert_array_equal(found.toarray(), [[0, 0, 3], [0, 3, 0]])
    assert found.nnz == 2
    assert X.nnz == 4
    np.testing.assert_array_equal(X.indices, [2, 2, 0, 1])


def test_matrix_of_the_right_form_is_not_copied():
    """A large matrix is not held twice."""
    X = sp.csr_array(np.eye(3, dtype=np.float32))
    assert np.shares_memory(weight_matrix(X, 3).data, X.data)


def test_no_rows_are_no_error():
    """Also of a loader without batches."""
    assert weight_matrix(np.zeros((0, 3)), 3).shape == (0, 3)
    assert weight_matrix(DataLoader(torch.zeros(0, 3), batch_size=2), 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones((2, 4)), "data must have 3 columns, got 4"),
        (sp.coo_matrix(np.ones((2, 2))), "data must have 3 columns, got 2"),
        (torch.ones(5, 1), "data must have 3 columns, got 1"),
        (np.ones(3), "real numbers in two dimensions, got float64 in 1"),
        (sp.coo_array(np.ones(3)), "real numbers in two dimensions, got float64 in 1"),
        (torch.ones(1, 2, 3), "real numbers in two dimensions, got torch.float32 in 3"),
        (np.full((1, 3), 1j), "real numbers in two dimensions, got complex128 in 2"),
        (torch.full((1, 3), 1j), "real numbers in two dimensions, got torch.complex64 in 2"),
        (np.array([["a", "b", "c"]]), "real numbers in two dimensions, got <U1 in 2"),
        (np.array([[1.0, np.nan, 0.0]]), "finite in float32, got nan or inf"),
        (sp.csc_array([[1.0, np.inf, 0.0]]), "finite in float32, got nan or inf"),
        (torch.tensor([[0.0, 0.0, -torch.inf]]), "finite in float32, got nan or inf"),
        (np.array([[1e300, 0.0, 0.0]]), "finite in float32, got nan or inf"),
        ([[1.0, 0.0, 0.0]], "matrix of scipy, numpy or torch, got list"),
        (None, "matrix of scipy, numpy or torch, got NoneType"),
    ],
)
def test_what_is_no_matrix_of_weights_is_refused(data, message):
    """The message says what must hold and what came."""
    with pytest.raises(ValueError, match=message):
        weight_matrix(data, 3)
