"""Inverse of a large positive definite matrix in the memory that holds it."""

import os

import numpy as np
import torch
from jaxtyping import Float

_BLOCK = 768
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

    Blocks of rows are swept one after the other: the block on the diagonal is inverted by its
    Cholesky factor, everything else updated by one product. That takes n_items³ operations, as
    LAPACK's potrf and potri do, and a few strips of 768 columns besides. Those two crashed
    in the OpenBLAS of scipy 1.17.1 (float32, 38,048 items).

    Reference: Goodnight, The American Statistician 1979, doi:10.1080/00031305.1979.10482685
    (the sweep operator), in blocks.

    Args:
        G: positive definite, C order; only its upper triangle is read; overwritten.
        device: torch device that computes; it holds one such matrix.

    Raises:
        ArithmeticError: G is not positive definite in its precision.
    """
    A = torch.from_numpy(G).to(device)
    for start in range(0, len(A), _BLOCK):
        _sweep(A, slice(start, min(start + _BLOCK, len(A))))
    A.neg_()
    torch.from_numpy(G).copy_(A)  # nothing to do on the CPU
    _mirror(G)
    return G


def _sweep(A: torch.Tensor, block: slice) -> None:
    """Exchange the block's rows for its columns in A, whose upper triangle counts."""
    strip = torch.cat([A[: block.start, block], A[block, block.start :].T])  # (n, width)
    L, failed = torch.linalg.cholesky_ex(strip[block])  # reads the lower triangle
    if int(failed):
        raise ArithmeticError(_TOO_FLAT)
    inverse = torch.cholesky_inverse(L)
    solved = strip @ inverse
    for start in range(0, len(A), _BLOCK):
        if start != block.start:
            rows = slice(start, start + _BLOCK)
            _subtract_product(A[rows, start:], solved[rows], strip[start:].T)
    A[: block.start, block] = solved[: block.start]
    A[block, block.stop :] = solved[block.stop :].T
    A[block, block] = -inverse


def _subtract_product(A: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
    """Subtract left @ right in place; numpy's BLAS is the faster one on CPUs by AMD."""
    if A.is_cpu:
        A.numpy()[...] -= left.numpy() @ right.numpy()
    else:
        A.addmm_(left, right, alpha=-1)


def _mirror(G: np.ndarray) -> None:
    for start in range(0, len(G), _BLOCK):
        rows = slice(start, start + _BLOCK)
        square = G[rows, rows]
        square[...] = np.triu(square) + np.triu(square, 1).T
        G[start + _BLOCK :, rows] = G[rows, start + _BLOCK :].T


def _machine_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
