"""What a network over the items that users had cannot be fitted with."""

import scipy.sparse as sp


def check_network(
    X: sp.csr_array,
    n_factors: int,
    *,
    dropout: float,
    learning_rate: float,
    l2: float,
    **sizes: int,
) -> None:
    """Refuse a matrix without entries, and numbers out of their bounds.

    Args:
        X: who had what.
        n_factors: 1 or more.
        dropout: in [0, 1).
        learning_rate: positive.
        l2: 0 or more.
        sizes: other numbers by their names, 0 or more.

    Raises:
        ValueError: which of them is wrong.
    """
    if X.nnz == 0:
        raise ValueError(f"X must have entries, got none in {X.shape[0]} rows")
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout must be in [0, 1), got {dropout}")
    if n_factors < 1:
        raise ValueError(f"n_factors must be positive, got {n_factors}")
    for name, size in sizes.items():
        if size < 0:
            raise ValueError(f"{name} must not be negative, got {size}")
    if learning_rate <= 0.0:
        raise ValueError(f"learning_rate must be positive, got {learning_rate}")
    if l2 < 0.0:
        raise ValueError(f"l2 must not be negative, got {l2}")
