"""The network of SVAE while it is trained: a step touches a batch of like long sequences."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from models.network.dense_layer import Dense
from models.network.gru import GRU
from models.network.multvae_network import Annealing, kl_divergence
from models.network.network_fit import Step, TrainedNetwork
from models.network.next_items import Ahead, next_items, next_items_loss
from models.network.sequence import sequences_of
from models.network.svae import SVAE


class SVAEShape(NamedTuple):
    """Layers and objective."""

    n_embedding: int  # length of an item's embedding
    n_state: int  # width of the GRU
    n_hidden: int  # width of the layers on both sides of the code
    n_factors: int  # width of the code
    ahead: Ahead = "next_k"
    n_ahead: int = 4
    max_length: int = 200  # last items of a row that are read
    max_output: int | None = None  # items of a step's softmax, by default all


class SVAENetwork(TrainedNetwork):
    """Embedding, GRU, tanh layer, code, tanh layer and one output per item, at every place."""

    def __init__(
        self, X: sp.csr_array, shape: SVAEShape, annealing: Annealing, *, seed: int, device: str
    ) -> None:
        """Draw the first weights: Xavier's normal; embeddings of spread 1 over their root."""
        super().__init__()
        self.shape, self.annealing = shape, annealing
        self.sequences = sequences_of(X, shape.max_length)
        self.known = np.bincount(X.indices, minlength=X.shape[1]) > 0
        noise = torch.Generator().manual_seed(seed)
        n_items, k = X.shape[1], shape.n_factors
        spread = shape.n_embedding**-0.5
        self.embedding = nn.Parameter(
            torch.empty(n_items, shape.n_embedding).normal_(0.0, spread, generator=noise)
        )
        empty = nn.GRU(shape.n_embedding, shape.n_state, batch_first=True, device="meta")
        self.gru = empty.to_empty(device="cpu")
        for each in self.gru.parameters():
            nn.init.uniform_(each, -(shape.n_state**-0.5), shape.n_state**-0.5, generator=noise)
        sizes = [(shape.n_state, shape.n_hidden), (shape.n_hidden, 2 * k), (k, shape.n_hidden)]
        self.W = nn.ParameterList(_xavier(size, noise) for size in sizes)
        self.b = nn.ParameterList(torch.zeros(size[1]) for size in sizes)
        self.W_out = _xavier((n_items, shape.n_hidden), noise)
        self.b_out = nn.Parameter(torch.zeros(n_items))
        self.to(device)

    def loss(self, rows: np.ndarray, step: Step) -> Tensor:
        """Return the negative evidence lower bound of some rows, a mean over them."""
        following = next_items(self.sequences, rows, self.shape.ahead, self.shape.n_ahead)
        items = torch.from_numpy(self.sequences.padded(rows)).to(self.b_out.device)
        states = self._states(items[:, : following.place.shape[1]])
        h = states[torch.from_numpy(following.place).to(states.device)]
        mean, log_variance = self._code(h)
        z = mean + torch.exp(0.5 * log_variance) * torch.empty_like(mean).normal_(
            generator=step.noise
        )
        h = torch.tanh(z @ self.W[2] + self.b[2])
        share = torch.from_numpy(following.share).to(h.device)
        divergence = (share * kl_divergence(mean, log_variance)).sum()
        W: Tensor = self.W_out
        b: Tensor = self.b_out
        if self.shape.max_output is not None:
            columns, places = self._columns(following.item, step)
            at = torch.from_numpy(columns).to(h.device)
            W, b = functional.embedding(at, W), functional.embedding(at, b[:, None])[:, 0]
            following = following._replace(item=places)
        missed = next_items_loss(h, W, b, following)
        return missed + self.annealing.weight(step.number) * divergence

    def logits(self, items: Int[Tensor, "batch longest"]) -> Float[Tensor, "batch longest n_items"]:
        """Return the scores of all items at every place, without noise; padding is -1."""
        mean, _ = self._code(self._states(items))
        return torch.tanh(mean @ self.W[2] + self.b[2]) @ self.W_out.T + self.b_out

    def fitted(self) -> SVAE:
        """Return the layers as they are, the code without its noise."""
        shown = [_array(each) for each in self.gru.parameters()]  # W_in, W_state, b_in, b_state
        gru = GRU(shown[0].T.copy(), shown[1].T.copy(), shown[2], shown[3])
        W, b = ([_array(each) for each in many] for many in (self.W, self.b))
        k = self.shape.n_factors
        layers = (
            Dense(W[0], b[0], "tanh"),
            Dense(W[1][:, :k].copy(), b[1][:k].copy()),
            Dense(W[2], b[2], "tanh"),
        )
        known = self.known[:, None]
        last = Dense((_array(self.W_out) * known).T.copy(), _array(self.b_out) * self.known)
        embedding = _array(self.embedding) * known
        return SVAE(embedding, gru, layers, last, self.shape.max_length)

    def _states(self, items: Tensor) -> Tensor:
        fed = functional.embedding(items.clamp(min=0), self.embedding)
        states: Tensor = self.gru(fed)[0]
        return states

    def _code(self, states: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(states @ self.W[0] + self.b[0])
        mean, log_variance = (h @ self.W[1] + self.b[1]).chunk(2, dim=-1)
        return mean, log_variance

    def _columns(self, guessed: np.ndarray, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Return the items of a step's softmax, ascending, and where the guessed ones are."""
        own = np.unique(guessed)
        n_more = max((self.shape.max_output or 0) - len(own), 0)
        rng = np.random.default_rng([step.noise.initial_seed(), step.number])
        others = np.setdiff1d(np.flatnonzero(self.known), own)
        drawn = rng.choice(others, min(n_more, len(others)), replace=False)
        columns = np.union1d(own, drawn)
        return columns, np.searchsorted(columns, guessed)


def _xavier(size: tuple[int, int], noise: torch.Generator) -> nn.Parameter:
    return nn.Parameter(nn.init.xavier_normal_(torch.empty(size), generator=noise))


def _array(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy().copy()
    return array
