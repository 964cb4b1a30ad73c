"""SimpleCF: the dot product of a user's and an item's embedding, also online, event by event."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Initialiser = Callable[..., object]  # fills a tensor in place, as those of torch.nn.init


class SimpleCF(nn.Module):
    """Preference of a user for an item as a product of embeddings, without biases.

    Reference: the network SimpleCF of cf_step 0.2.3; its output here has the shape of its input.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: int = 16,
        *,
        user_embeddings: Float[Tensor, "n_users factors"] | None = None,
        freeze_users: bool = False,
        item_embeddings: Float[Tensor, "n_items factors"] | None = None,
        freeze_items: bool = False,
        initialiser: Initialiser = nn.init.normal_,
        binary: bool = False,
        seed: int = 0,
        **arguments: Any,
    ) -> None:
        """Fill both tables, then put given embeddings in their place.

        Args:
            n_users: rows of the users' table.
            n_items: rows of the items' table.
            factors: length of an embedding.
            user_embeddings: trained elsewhere.
            freeze_users: the users' table is not trained.
            item_embeddings: trained elsewhere.
            freeze_items: the items' table is not trained.
            initialiser: fills both tables; its noise follows the seed if it takes a generator.
            binary: the output is a probability, by a sigmoid.
            seed: of the start.
            arguments: of the initialiser, such as mean and std.

        Raises:
            ValueError: given embeddings have another shape than their table.
        """
        super().__init__()
        self.n_users, self.n_items, self.binary = n_users, n_items, binary
        self.user_embeddings = _empty(n_users, factors)
        self.item_embeddings = _empty(n_items, factors)
        if "generator" in inspect.signature(initialiser).parameters:
            arguments = {"generator": torch.Generator().manual_seed(seed)} | arguments
        for table in (self.user_embeddings, self.item_embeddings):
            initialiser(table.weight, **arguments)
        _replace(self.user_embeddings, user_embeddings, "user_embeddings")
        _replace(self.item_embeddings, item_embeddings, "item_embeddings")
        self.user_embeddings.weight.requires_grad_(not freeze_users)
        self.item_embeddings.weight.requires_grad_(not freeze_items)

    def forward(self, users: Int[Tensor, " n"], items: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Return the preference of each user for the item in the same place.

        Raises:
            IndexError: an index is outside its table (on a CPU; a GPU reports it late).
        """
        dot = (self.user_embeddings(users) * self.item_embeddings(items)).sum(dim=-1)
        return torch.sigmoid(dot) if self.binary else dot

    def scores(self, user: int) -> Float[np.ndarray, " n_items"]:
        """Return the preference of a user for every item.

        Raises:
            ValueError: there is no such user.
        """
        if not 0 <= user < self.n_users:
            raise ValueError(f"user must be from 0 to {self.n_users - 1}, got {user}")
        with torch.no_grad():
            dot = self.item_embeddings.weight @ self.user_embeddings.weight[user]
            return (torch.sigmoid(dot) if self.binary else dot).cpu().numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the tables and what else from_arrays needs, to be kept without pickle."""
        told = [self.binary, *(not each.weight.requires_grad for each in self._tables())]
        tables = [each.weight.detach().cpu().numpy().copy() for each in self._tables()]
        return {
            "user_embeddings": tables[0],
            "item_embeddings": tables[1],
            "binary_frozen_users_frozen_items": np.array(told),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "SimpleCF":
        """Return the network that arrays() told of."""
        users, items = arrays["user_embeddings"], arrays["item_embeddings"]
        binary, frozen_users, frozen_items = arrays["binary_frozen_users_frozen_items"].tolist()
        return cls(
            len(users), len(items), users.shape[1], binary=binary, initialiser=nn.init.zeros_,
            user_embeddings=torch.tensor(users), freeze_users=frozen_users,
            item_embeddings=torch.tensor(items), freeze_items=frozen_items,
        )  # fmt: skip

    def _tables(self) -> tuple[nn.Embedding, nn.Embedding]:
        return self.user_embeddings, self.item_embeddings


def _empty(n: int, factors: int) -> nn.Embedding:
    table: nn.Embedding = torch.nn.utils.skip_init(nn.Embedding, n, factors)
    return table


def _replace(table: nn.Embedding, given: Tensor | None, name: str) -> None:
    if given is None:
        return
    if given.shape != table.weight.shape:
        raise ValueError(
            f"{name} must have the shape {tuple(table.weight.shape)}, got {tuple(given.shape)}"
        )
    with torch.no_grad():
        table.weight.copy_(given)
