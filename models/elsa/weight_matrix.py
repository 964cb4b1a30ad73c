"""Weights from whatever holds them: scipy, numpy or torch, dense or sparse."""

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.utils.data import DataLoader


def weight_matrix(data: object, n_items: int) -> sp.csr_array:
    """Return weights as float32 in CSR: sorted, every item once a row, no stored zeros.

    The input is left unchanged; memory is shared with it where it is of that form already.

    Args:
        data: shape (n_users, n_items), booleans, integers or floats: any sparse array or matrix
            of scipy, an array of numpy, a tensor of torch (dense or sparse, on any device), or a
            DataLoader of such batches.
        n_items: columns that the data must have.

    Raises:
        ValueError: data is nothing of that kind, has other than n_items columns, or holds a
            number that is not finite in float32.
    """
    X = _csr(data, n_items)
    if X.shape[1] != n_items:
        raise ValueError(f"data must have {n_items} columns, got {X.shape[1]}")
    X = _canonical(X)
    if not np.isfinite(X.data).all():
        raise ValueError("data must be finite in float32, got nan or inf")
    return X


def _csr(data: object, n_items: int) -> sp.csr_array:
    if isinstance(data, DataLoader):
        rows = [weight_matrix(batch, n_items) for batch in data]
        return sp.csr_array(sp.vstack(rows)) if rows else sp.csr_array((0, n_items))
    if isinstance(data, Tensor):
        return _of_tensor(data.detach())
    if isinstance(data, np.ndarray | sp.sparray | sp.spmatrix):
        return _of_array(data)
    raise ValueError(f"data must be a matrix of scipy, numpy or torch, got {type(data).__name__}")


def _of_array(data: Any) -> sp.csr_array:
    _check_kind(is_real=data.dtype.kind in "biuf", ndim=data.ndim, dtype=data.dtype)
    with np.errstate(over="ignore"):  # inf is found later
        return sp.csr_array(data.astype(np.float32, copy=False))


def _of_tensor(data: Tensor) -> sp.csr_array:
    _check_kind(is_real=not data.is_complex(), ndim=data.ndim, dtype=data.dtype)
    if data.layout == torch.strided:
        return sp.csr_array(data.to(torch.float32).cpu().numpy())
    triples = data.to_sparse_coo().cpu().coalesce()
    row, column = triples.indices().numpy()
    weights = triples.values().to(torch.float32).numpy()
    return sp.csr_array((weights, (row, column)), shape=(data.shape[0], data.shape[1]))


def _check_kind(*, is_real: bool, ndim: int, dtype: object) -> None:
    if not is_real or ndim != 2:
        raise ValueError(f"data must be real numbers in two dimensions, got {dtype} in {ndim}")


def _canonical(X: sp.csr_array) -> sp.csr_array:
    if X.has_canonical_format and X.data.all():
        return X
    X = X.copy()
    X.sum_duplicates()
    X.eliminate_zeros()
    return X
