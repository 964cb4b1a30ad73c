"""ELSA's forms that need the output y, on a sample of the items: cost and memory follow the sample.

Reference: the catalogue is cut as in beeFormer (Vančura et al., RecSys 2024, arXiv:2409.10309) and
in the super-sparse training of compressed ELSA: all items of the batch, and items that nobody of
the batch holds drawn at random. Both draw those with replacement; here none comes twice. Every
step cuts A, x and y to the sample; the loss is that of a catalogue that holds nothing else.
"""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from models.elsa.elsa_dense import Loss, Output, output_gradient
from models.elsa.elsa_torch import Batch, Form


def sampled_form(
    *, output: Output, loss: Loss, max_output: int, generator: np.random.Generator
) -> Form:
    """Return the form that makes y for the batch's items and some others.

    Each step reads which items the batch holds, so the host waits for the device once a step.

    Args:
        output: as in models.elsa.elsa_dense.dense_form.
        loss: as there; the mean of NMSE is over the sampled items.
        max_output: items in a sample; a batch that holds more keeps all of its own.
        generator: draws the items; a sequence of steps is repeated by an equal generator.

    Raises:
        ValueError: max_output is not positive.
    """
    if max_output < 1:
        raise ValueError(f"max_output must be positive, got {max_output}")

    def form(A: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        held = torch.nonzero(batch.Xt.crow_indices().diff()).flatten().cpu().numpy()
        columns = draw_columns(held, len(A), max_output=max_output, generator=generator)
        columns_there = torch.from_numpy(columns).to(A.device)
        return sampled_gradient(A, batch, columns_there, output=output, loss=loss)

    return form


def draw_columns(
    held: Int[np.ndarray, " n_held"],
    n_items: int,
    *,
    max_output: int,
    generator: np.random.Generator,
) -> Int[np.ndarray, " n_columns"]:
    """Return the items of a batch and uniformly drawn others, none twice, ascending, int64.

    Args:
        held: items of the batch, ascending, none twice.
        n_items: size of the catalogue.
        max_output: how many items to return; fewer if the catalogue has fewer, and all of the
            batch's own where these are more.
        generator: draws the others.
    """
    n_others = n_items - len(held)
    n_drawn = min(max(max_output - len(held), 0), n_others)
    place = generator.choice(n_others, n_drawn, replace=False, shuffle=False)
    before = np.searchsorted(held - np.arange(len(held)), place, side="right")  # held items
    return np.sort(np.concatenate([held, place + before])).astype(np.int64)


def sampled_gradient(
    A: Tensor, batch: Batch, columns: Tensor, *, output: Output, loss: Loss
) -> tuple[Tensor, Tensor]:
    """Return the loss of a batch in a catalogue of some items only, and its derivative by A.

    Args:
        A: item factors with unit rows, shape (n_items, n_factors).
        batch: as in models.elsa.elsa_dense.output_gradient.
        columns: items, ascending, none twice, at least all that the batch holds.
        output: as in models.elsa.elsa_dense.dense_form.
        loss: as there, the mean of NMSE being over the columns.

    Returns:
        Loss; derivative, as A, zero for items that are no column.
    """
    value, dA_columns = output_gradient(A[columns], _cut(batch, columns), output=output, loss=loss)
    return value, torch.zeros_like(A).index_copy_(0, columns, dA_columns)


def _cut(batch: Batch, columns: Tensor) -> Batch:
    """Return the batch on the columns alone; the others are empty rows of the transpose."""
    X, Xt, weight = batch
    shape, offsets = (X.shape[0], len(columns)), Xt.crow_indices()
    place = torch.searchsorted(columns, X.col_indices().to(columns.dtype)).to(offsets.dtype)
    starts = torch.cat([offsets[columns], offsets[-1:]])
    return Batch(
        torch.sparse_csr_tensor(
            X.crow_indices(), place.to(X.col_indices().dtype), X.values(), shape,
            check_invariants=False,
        ),
        torch.sparse_csr_tensor(
            starts, Xt.col_indices(), Xt.values(), shape[::-1], check_invariants=False
        ),
        weight,
    )  # fmt: skip
