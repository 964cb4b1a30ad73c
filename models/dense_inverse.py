"""Inverse of a large positive definite matrix in the memory that holds it."""

import os

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import lapack

_BLOCK = 512
_TOO_FLAT = "the Gram matrix plus l2 must be positive definite, got one that is not: raise l2"


def dense_bytes(n_items: int, dtype: type[np.floating] = np.float32) -> int:
    """Return the bytes of one n_items x n_items array: what a closed form takes at its peak."""
    return n_items * n_items * np.dtype(dtype).itemsize


def check_memory(n_items: int, dtype: type[np.floating], memory_limit: int | None) -> None:
    """Refuse a matrix that does not fit, before anything is allocated.

    Args:
        n_items: rows and columns.
        dtype: of the matrix.
        memory_limit: bytes it may take; the memory of the machine by default.

    Raises:
        MemoryError: it would take more.
    """
    needed, limit = dense_bytes(n_items, dtype), memory_limit or _machine_memory()
    if needed > limit:
        raise MemoryError(
            f"one {n_items} x {n_items} matrix of {np.dtype(dtype).name} must fit into "
            f"{limit / 1e9:.1f} GB, got {needed / 1e9:.1f} GB: use float32, fewer items, "
            "or a model that never forms it (ELSA, SANSA)"
        )


def invert(
    G: Float[np.ndarray, "n_items n_items"], device: str = "cpu"
) -> Float[np.ndarray, "n_items n_items"]:
    """Return the inverse in the memory of G, both triangles filled.

    LAPACK's potrf and potri on the CPU. Elsewhere torch makes the same two steps, and needs
    the memory of three such matrices on its device.

    Args:
        G: positive definite, C order; only its upper triangle is read; overwritten.
        device: "cpu", or a torch device such as "cuda".

    Raises:
        ArithmeticError: G is not positive definite in its precision.
    """
    if device == "cpu":
        _invert_by_lapack(G)
    else:
        invert_by_torch(G, device)
    _mirror(G)
    return G


def invert_by_torch(G: Float[np.ndarray, "n_items n_items"], device: str) -> None:
    """Overwrite the upper triangle of G with that of its inverse, computed on a torch device.

    Raises:
        ArithmeticError: G is not positive definite in its precision.
    """
    on_device = torch.from_numpy(G).to(device).mT  # its lower triangle
    L, failed = torch.linalg.cholesky_ex(on_device)
    del on_device
    if int(failed):
        raise ArithmeticError(_TOO_FLAT)
    inverse = torch.cholesky_inverse(L)
    del L
    torch.from_numpy(G).copy_(inverse)


def _invert_by_lapack(G: np.ndarray) -> None:
    single = G.dtype == np.float32
    potrf, potri = (lapack.spotrf, lapack.spotri) if single else (lapack.dpotrf, lapack.dpotri)
    lower, failed = potrf(G.T, lower=1, clean=0, overwrite_a=1)  # G.T is in Fortran's order
    if failed:
        raise ArithmeticError(_TOO_FLAT)
    inverse, _ = potri(lower, lower=1, overwrite_c=1)
    if not np.shares_memory(inverse, G):
        G[...] = inverse.T


def _mirror(G: np.ndarray) -> None:
    for start in range(0, len(G), _BLOCK):
        rows = slice(start, start + _BLOCK)
        square = G[rows, rows]
        square[...] = np.triu(square) + np.triu(square, 1).T
        G[start + _BLOCK :, rows] = G[rows, start + _BLOCK :].T


def _machine_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
