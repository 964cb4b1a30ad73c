"""Two autoencoders, over items' and over users' ratings, and a head that rates a pair of codes."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from models.item_rows import by_item
from models.network.dense_layer import Dense
from models.network.network_fit import OnNetworkEpoch, Step, TrainedNetwork, Training
from models.network.network_state import NetworkState
from models.network.sparse_rows import SparseBatch, SparseRows
from models.rating.combined_model import CombinedAutoencoder, Way
from models.rating.item_codes import ItemCodes
from models.rating.rating_fit import RatingData, Validation, fit_ratings, rating_data
from models.rating.rating_network import (
    Layers,
    RatingNetwork,
    array_of,
    observed_error,
    root_mean_square,
)
from models.rating.rating_network_model import RatingNetworkModel


class Widths(NamedTuple):
    """Of the layers."""

    n_factors: int = 128  # of both codes
    n_hidden: int = 512  # before and after the users' code
    n_head: int = 128


def fit_combined_autoencoder(
    R: sp.csr_array, *, n_epochs: int, learning_rate: float, batch_size: int, seed: int,
    widths: Widths = Widths(),  # noqa: B008 - a tuple
    dropout: float = 0.4, l2: float = 0.0, head_weight: float = 2.0, row_l2: float = 5.0,
    way: Way = "mean", patience: int | None = None, interruptible: bool = True,
    validation: Validation | None = None,
    lowest: float | None = None, highest: float | None = None, fallback: float | None = None,
    device: str = "cpu", on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
) -> CombinedAutoencoder:  # fmt: skip
    """Return both autoencoders and the head, trained together.

    A step takes some ratings. Each is left out of the two rows it stands in, which are the input;
    the loss is head_weight times the rmse of the ratings by the head, plus the rmse of what the
    autoencoders make of both rows.

    Args:
        R: ratings, positive, shape (n_users, n_items); every stored entry is one.
        n_epochs: passes over the ratings.
        learning_rate: step size of RMSProp.
        batch_size: ratings per step.
        seed: of all that is drawn.
        widths: of the layers.
        dropout: share of the hidden layers' outputs that a step leaves out.
        l2: half of it times the squared weights is added to the loss.
        head_weight: of the head's error.
        row_l2: ridge weight of a row on the items' codes.
        way: which prediction the model gives.
        patience: epochs without a lower validation rmse before the fit stops.
        interruptible: Ctrl-C ends the training, and the best epoch so far predicts.
        validation: rows and other ratings of the same rows; by default the last epoch is best.
        lowest: of the scale, see rating_scale; likewise highest.
        highest: likewise.
        fallback: of users and items without ratings.
        device: torch device.
        on_epoch: see fit_network; it may raise StopIteration.
        resume: likewise.

    Raises:
        ValueError: a rating is not positive, or as rating_scale.
    """
    data = rating_data(R, "none", lowest=lowest, highest=highest, fallback=fallback)
    if R.data.min() <= 0:
        raise ValueError(f"every rating must be positive, got {R.data.min()}")
    network = _Network(data, widths, dropout, l2, head_weight, row_l2, way, seed, device)
    training = Training(n_epochs, batch_size, seed, patience, interruptible=interruptible)
    state = fit_ratings(
        network, np.arange(R.nnz), training, "rmsprop", learning_rate=learning_rate,
        validation=validation, on_epoch=on_epoch, resume=resume,
    )  # fmt: skip
    return network.fitted(state.best_epoch)


class _Network(TrainedNetwork):
    def __init__(
        self, data: RatingData, widths: Widths, dropout: float, l2: float, head_weight: float,
        row_l2: float, way: Way, seed: int, device: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self._data, self._l2, self._head_weight = data, l2, head_weight
        self._row_l2, self._way, self._unit = row_l2, way, data.scale.highest
        R = data.left * np.float32(1.0 / self._unit)
        columns = by_item(R)
        d, hidden = widths.n_factors, widths.n_hidden
        noise = (dropout,) * 3
        self.items = RatingNetwork(
            R.shape[0], Layers((d, d, d), (*("sigmoid",) * 3, "identity"), noise), seed=seed
        )
        self.users = RatingNetwork(
            R.shape[1], Layers((hidden, d, hidden), (*("relu",) * 3, "identity"), noise),
            seed=seed + 1,
        )  # fmt: skip
        drawn = torch.Generator().manual_seed(seed + 2)
        spread = (3 * d) ** -0.5
        self.first = nn.Parameter(spread * torch.randn(3 * d, widths.n_head, generator=drawn))
        self.first_bias = nn.Parameter(torch.zeros(widths.n_head))
        self.last = nn.Parameter(0.1 * torch.randn(widths.n_head, 1, generator=drawn))
        self.last_bias = nn.Parameter(torch.zeros(1))
        self._row = np.repeat(np.arange(R.shape[0]), np.diff(R.indptr))
        self._item, self._n_items = R.indices.astype(np.int64), int(R.shape[1])
        self._rating = torch.tensor(R.data, device=device)
        self._rows, self._columns = SparseRows(R, device), SparseRows(columns, device)
        self.to(device)

    def loss(self, rows: np.ndarray, step: Step) -> Tensor:
        """Return the loss of some ratings, by their places in R."""
        user, item = self._row[rows], self._item[rows]
        of_user, of_item = self._rows.take(user), self._columns.take(item)
        u = self.users.encoded(_without(of_user, item), step.noise)
        m = self.items.encoded(_without(of_item, user), step.noise)
        stars = self._rated(m, u)[:, 0]
        errors = (
            self._head_weight * root_mean_square(stars - self._rating[torch.from_numpy(rows)])
            + root_mean_square(observed_error(self.users.decoded(u, step.noise), of_user))
            + root_mean_square(observed_error(self.items.decoded(m, step.noise), of_item))
        )
        weights = self.users.squared_weights() + self.items.squared_weights()
        return self._unit * errors + 0.5 * self._l2 * weights

    def fitted(self, best_epoch: int = 0) -> CombinedAutoencoder:
        """Return the fitted model."""
        _, offset, scale, rated = self._data
        codes, before_last = self._of_items()
        of_items = ItemCodes(before_last, self._row_l2, offset, scale, rated, embedding=codes)
        of_users = RatingNetworkModel(
            self.users.dense_layers(), offset, scale, rated, unit=self._unit, code=1
        )
        head = (
            Dense(array_of(self.first), array_of(self.first_bias), "relu"),
            Dense(array_of(self.last), array_of(self.last_bias), "sigmoid"),
        )
        return CombinedAutoencoder(of_items, of_users, head, self._way, best_epoch)

    def _rated(self, m: Tensor, u: Tensor) -> Tensor:
        h = torch.relu(torch.hstack([m, u, m * u]) @ self.first + self.first_bias)
        return torch.sigmoid(h @ self.last + self.last_bias)

    @torch.no_grad()
    def _of_items(self) -> tuple[np.ndarray, np.ndarray]:
        codes, before_last = [], []
        for start in range(0, self._n_items, 1024):
            some = self._columns.take(np.arange(start, min(start + 1024, self._n_items)))
            codes.append(self.items.encoded(some, None))
            h = codes[-1] @ self.items.weights(2) + self.items.b[2]
            before_last.append(torch.sigmoid(h))
        return torch.cat(codes).cpu().numpy(), torch.cat(before_last).cpu().numpy()


def _without(rows: SparseBatch, asked: np.ndarray) -> SparseBatch:
    """Return the rows, each without its entry in one column."""
    column = torch.from_numpy(asked).to(rows.column.device)[rows.row]
    return rows._replace(value=torch.where(rows.column == column, 0.0, rows.value))
