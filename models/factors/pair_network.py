"""Training of any network that scores pairs of a user and an item, from the entries of X.

What is kept are the vectors of the items alone. A row is served by the user vector that fits it
best, so that users who were not in training are served like those who were.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from models.factors.factor_baseline import IALS
from models.factors.preference_loss import Confidence, Objective, constant, preference_loss, squared
from models.network.network_fit import (
    OnNetworkEpoch,
    Step,
    TrainedNetwork,
    Training,
    Validation,
    fit_network,
    ranking_figures,
)
from models.network.network_state import NetworkState

_EMBEDDINGS = ("user_embeddings", "item_embeddings")


def fit_pairs(
    network: nn.Module,
    X: sp.csr_array,
    *,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    n_negatives: int = 4,
    objective: Objective = squared,
    confidence: Confidence = constant,
    l2: float = 1.0,
    weight: float = 1.0,
    patience: int | None = None,
    validation: Validation | None = None,
    seed: int = 0,
    device: str = "cpu",
    on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
) -> IALS:
    """Train a network such as SimpleCF in place and return what serves any row.

    The vector of a row is the one that a ridge regression on the vectors of the items gives it,
    as implicit ALS solves for a user: so the vectors must say preferences by their products.

    Args:
        network: called with users and items, it returns a score of each pair; it has
            user_embeddings and item_embeddings, tables or tensors.
        X: weights, shape (n_users, n_items).
        n_epochs: most passes over the entries.
        batch_size: entries per step.
        learning_rate: step size of AdamW.
        weight_decay: ridge weight on all parameters.
        n_negatives: pairs drawn for every entry; those that are entries do not count.
        objective: loss of each pair.
        confidence: how much an entry counts, from its weight; a drawn pair counts 1.
        l2: ridge weight of the vector that serves a row.
        weight: confidence of an entry, times its weight, when a row is served; 1 for all others.
        patience: epochs without a better validation nDCG@100 before the end.
        validation: fold-in and target of held-out users.
        seed: of order and draws.
        device: torch device.
        on_epoch: called after every epoch, see fit_network.
        resume: the state that on_epoch was given, where to go on.

    Raises:
        TypeError: the network has no embeddings.
        ValueError: their shapes do not fit, X is empty, or nothing is to be trained.
        ArithmeticError: the loss is not finite.
    """
    pairs = PairNetwork(
        network, X if X.has_sorted_indices else X.sorted_indices(), n_negatives=n_negatives,
        objective=objective, confidence=confidence, l2=l2, weight=weight, device=device,
    )  # fmt: skip
    adam = torch.optim.AdamW(pairs.trained(), lr=learning_rate, weight_decay=weight_decay)
    state = fit_network(
        pairs, np.arange(X.nnz), Training(n_epochs, batch_size, seed, patience), adam,
        validate=ranking_figures(validation, X), on_epoch=on_epoch, resume=resume,
    )  # fmt: skip
    return replace(pairs.fitted(), best_epoch=state.best_epoch)


class PairNetwork(TrainedNetwork):
    """Entries of X as positive pairs, and as many negative ones for each drawn at random."""

    def __init__(
        self,
        network: nn.Module,
        X: sp.csr_array,
        *,
        n_negatives: int,
        objective: Objective,
        confidence: Confidence,
        l2: float,
        weight: float,
        device: str,
    ) -> None:
        """Put a network and the entries of X, sorted, on a device; see fit_pairs.

        Raises:
            TypeError: the network has no embeddings.
            ValueError: there are not as many as users and items.
        """
        super().__init__()
        check_embeddings(network, X.shape)
        self.network = network.to(device)
        users = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        self._n_items, self.known = X.shape[1], np.bincount(X.indices, minlength=X.shape[1]) > 0
        keys = users * self._n_items + X.indices
        self._key = torch.from_numpy(keys.astype(np.int64)).to(device)
        self._value = torch.tensor(X.data.astype(np.float32), device=device)
        self._items = torch.from_numpy(np.flatnonzero(self.known)).to(device)
        self._n_negatives, self._objective, self._confidence = n_negatives, objective, confidence
        self._l2, self._weight = l2, weight

    def trained(self) -> list[nn.Parameter]:
        """Return the parameters that are trained.

        Raises:
            ValueError: there are none, or no entries to train them on.
        """
        trained = [each for each in self.parameters() if each.requires_grad]
        if not trained or not len(self._key):
            raise ValueError("there must be entries and parameters to train, got none")
        return trained

    def loss(self, rows: np.ndarray, step: Step) -> Tensor:
        """Return the loss of some entries and of the pairs drawn for them."""
        at = torch.from_numpy(rows).to(self._key.device)
        key, confidence = self._key[at], self._confidence(self._value[at])
        users = torch.div(key, self._n_items, rounding_mode="floor")
        drawn, counted = self._drawn(users, step.noise)
        pairs = torch.cat([key, drawn])
        score = self.network(torch.div(pairs, self._n_items, rounding_mode="floor"),
                             pairs % self._n_items)  # fmt: skip
        preference = (torch.arange(len(pairs), device=pairs.device) < len(key)).float()
        return preference_loss(score, preference, torch.cat([confidence, counted]), self._objective)

    def fitted(self) -> IALS:
        """Return the vectors of the items, zeros for those nobody had."""
        items = embedding(self.network, "item_embeddings").detach().cpu().numpy()
        decoder = (items * self.known[:, None]).astype(np.float32)
        return IALS(decoder, self._l2, self._weight)

    def _drawn(self, users: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
        each = users.repeat_interleave(self._n_negatives)
        place = torch.randint(len(self._items), each.shape, generator=noise, device=each.device)
        keys = each * self._n_items + self._items[place]
        found = torch.searchsorted(self._key, keys).clamp(max=len(self._key) - 1)
        return keys, (self._key[found] != keys).float()


def check_embeddings(network: Any, shape: tuple[int, int]) -> None:
    """Refuse a network without a vector for every user and every item.

    Raises:
        TypeError: it is no module, or has no embeddings.
        ValueError: their shapes do not fit.
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"the network must be a torch.nn.Module, got {type(network).__name__}")
    for name, n in zip(_EMBEDDINGS, shape, strict=True):
        table = embedding(network, name)
        if table.ndim != 2 or len(table) != n:
            raise ValueError(
                f"{name} must have the shape ({n}, n_factors), got {tuple(table.shape)}"
            )
    widths = [embedding(network, name).shape[1] for name in _EMBEDDINGS]
    if widths[0] != widths[1]:
        raise ValueError(
            f"user_embeddings and item_embeddings must be equally long, got {widths[0]} "
            f"and {widths[1]}"
        )


def embedding(network: nn.Module, name: str) -> Tensor:
    """Return a table of embeddings, whether it is a layer or a tensor.

    Raises:
        TypeError: the network has none of that name.
    """
    found = getattr(network, name, None)
    table = getattr(found, "weight", found)
    if not isinstance(table, Tensor):
        raise TypeError(
            f"{type(network).__name__} must have {name}, a torch.nn.Embedding or a tensor, got "
            f"{type(found).__name__}"
        )
    return table
