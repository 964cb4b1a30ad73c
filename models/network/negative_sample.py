"""Items that a user has not had, drawn evenly, for all users of a batch at once."""

import torch
from jaxtyping import Int
from torch import Tensor

from models.network.sparse_rows import SparseBatch


def unobserved_items(
    batch: SparseBatch, n_per_item: int, noise: torch.Generator
) -> tuple[Int[Tensor, " n_drawn"], Int[Tensor, " n_drawn"]]:
    """Return rows, ascending, and items of the draws; a row that has every item gets none.

    A draw is a place among the items that the row lacks; the items that it has before that place
    are counted by one search over all rows, so nothing is drawn twice over.

    Args:
        batch: rows with columns ascending in each, every entry something observed.
        n_per_item: draws for each entry, with replacement.
        noise: on the device of the batch.
    """
    n_had = batch.offsets.diff()
    n_lacking = batch.n_columns - n_had
    row = batch.row.repeat_interleave(n_per_item)
    row = row[n_lacking[row] > 0]
    chance = torch.rand(row.shape, generator=noise, device=row.device, dtype=torch.float64)
    place = torch.minimum((chance * n_lacking[row]).long(), n_lacking[row] - 1)
    within = torch.arange(len(batch.column), device=row.device) - batch.offsets[batch.row]
    lacking_before = batch.row * (batch.n_columns + 1) + batch.column - within
    n_before = torch.searchsorted(lacking_before, row * (batch.n_columns + 1) + place, right=True)
    return row, place + n_before - batch.offsets[row]
