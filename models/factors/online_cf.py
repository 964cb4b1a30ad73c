"""Online training of a network of users and items: batches, one event at a time, predictions."""

from collections.abc import Collection, Iterable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.factors.preference_loss import Confidence, Objective, constant, preference_loss, squared
from models.factors.simple_cf import SimpleCF


class OnlineCF:
    """A SimpleCF that learns from (user, item, preference), in batches or one by one.

    Reference: the class Step of cf_step 0.2.3; predictions here come best first.
    """

    def __init__(
        self,
        network: SimpleCF,
        optimiser: torch.optim.Optimizer,
        *,
        objective: Objective = squared,
        confidence: Confidence = constant,
    ) -> None:
        """Say how to train.

        Args:
            network: trained in place, where it is.
            optimiser: over its parameters.
            objective: loss of each pair; cross_entropy suits a binary network.
            confidence: how much a pair counts, from its value.
        """
        self.network, self._optimiser = network, optimiser
        self._objective, self._confidence = objective, confidence

    def fit(
        self,
        users: Int[np.ndarray, " n"],
        items: Int[np.ndarray, " n"],
        preferences: Float[np.ndarray, " n"],
        *,
        values: Float[np.ndarray, " n"] | None = None,
        n_epochs: int = 1,
        batch_size: int = 1024,
        seed: int = 0,
    ) -> list[float]:
        """Train on events in random order and return the mean loss of every epoch.

        Args:
            users: indices.
            items: indices.
            preferences: what the network is to say, such as 0 and 1.
            values: what the confidence is computed from, such as ratings; by default 1.
            n_epochs: passes over the events.
            batch_size: events per step.
            seed: of the order.

        Raises:
            ValueError: there are no events, or an index is outside its table.
        """
        if not len(users):
            raise ValueError("there must be an event to train on, got none")
        self._check(users, items)
        losses = []
        for epoch in range(n_epochs):
            order = np.random.default_rng([seed, epoch]).permutation(len(users))
            parts = [
                order[start : start + batch_size] for start in range(0, len(order), batch_size)
            ]
            weighed = [
                len(part) * self._step(users[part], items[part], preferences[part],
                                       None if values is None else values[part])
                for part in parts
            ]  # fmt: skip
            losses.append(sum(weighed) / len(order))
        return losses

    def step(self, user: int, item: int, preference: float, value: float = 1.0) -> float:
        """Learn from one event and return its loss before.

        Raises:
            ValueError: an index is outside its table.
        """
        pair = np.array([user]), np.array([item])
        self._check(*pair)
        return self._step(*pair, np.array([preference]), np.array([value]))

    def predict(
        self, user: int, k: int = 10, *, seen: Collection[int] = ()
    ) -> Int[np.ndarray, " k"]:
        """Return the items a user prefers, best first, ties by index; fewer if there are fewer.

        Args:
            user: index.
            k: length of the list.
            seen: items left out.

        Raises:
            ValueError: there is no such user, or an item outside the table is to be left out.
        """
        scores = self.network.scores(user)
        kept = np.ones(len(scores), dtype=bool)
        left_out = np.fromiter(seen, np.int64, len(seen))
        _check_range("items", left_out, len(kept))
        kept[left_out] = False
        candidates = np.flatnonzero(kept)
        return candidates[np.argsort(-scores[candidates], kind="stable")[:k]]

    def _check(self, users: np.ndarray, items: np.ndarray) -> None:
        _check_range("users", users, self.network.n_users)
        _check_range("items", items, self.network.n_items)

    def _step(
        self, users: np.ndarray, items: np.ndarray, preferences: np.ndarray,
        values: np.ndarray | None,
    ) -> float:  # fmt: skip
        device = self.network.item_embeddings.weight.device
        ids = [torch.as_tensor(each, dtype=torch.int64, device=device) for each in (users, items)]
        wanted = torch.as_tensor(preferences, dtype=torch.float32, device=device)
        told = wanted.new_ones(len(wanted)) if values is None else _like(values, wanted)
        self._optimiser.zero_grad(set_to_none=True)
        score = self.network(ids[0], ids[1])
        loss = preference_loss(score, wanted, self._confidence(told), self._objective)
        loss.backward()
        self._optimiser.step()
        return float(loss.detach())


def prequential_recall(
    online: OnlineCF, events: Iterable[tuple[int, int]], *, k: int = 10
) -> Float[np.ndarray, " n_events"]:
    """Return for every event whether its item was among the k best, before it was learnt from.

    Each event is predicted first and then a positive example; its mean is the prequential
    recall@k, and moving means of it show a network that keeps up.

    Reference: Vinagre et al., "Evaluation of recommender systems in streaming environments",
    arXiv:1504.08175.

    Args:
        online: learns as it goes.
        events: user and item, in the order they happened.
        k: length of a list.
    """
    hits = []
    for user, item in events:
        hits.append(float(item in online.predict(user, k)))
        online.step(user, item, 1.0)
    return np.array(hits)


def _like(values: np.ndarray, other: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=other.dtype, device=other.device)


def _check_range(name: str, given: np.ndarray, n: int) -> None:
    outside = given[(given < 0) | (given >= n)]
    if len(outside):
        raise ValueError(f"{name} must be indices from 0 to {n - 1}, got {outside[0]}")
