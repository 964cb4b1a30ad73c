"""AutoRec: an autoencoder over the observed ratings of an item, or of a user."""

from typing import Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from models.item_rows import by_item
from models.network.dense_layer import Activation
from models.network.network_fit import OnNetworkEpoch, Step, TrainedNetwork, Training
from models.network.network_state import NetworkState
from models.network.sparse_rows import SparseRows
from models.rating.item_codes import ItemCodes
from models.rating.rating_fit import Optimiser, RatingData, Validation, fit_ratings, rating_data
from models.rating.rating_network import Layers, RatingNetwork, check_output, observed_error
from models.rating.rating_network_model import RatingNetworkModel
from models.rating.rating_offset import Centre


class AutoRecForm(NamedTuple):
    """Which AutoRec."""

    n_factors: int  # numbers in a code
    l2: float  # weight of the squared weights; biases have none
    based_on: Literal["item", "user"] = "item"  # whose ratings a vector holds
    hidden_activation: Activation = "sigmoid"  # the paper's g
    output_activation: Activation = "identity"  # the paper's f; based on items it must be this
    centre: Centre = "none"  # what is taken off ratings first; the paper takes nothing


def fit_autorec(
    R: sp.csr_array,
    form: AutoRecForm,
    *,
    optimiser: Optimiser,
    n_epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
    patience: int | None = None,
    validation: Validation | None = None,
    lowest: float | None = None,
    highest: float | None = None,
    fallback: float | None = None,
    device: str = "cpu",
    on_epoch: OnNetworkEpoch | None = None,
    resume: NetworkState | None = None,
) -> ItemCodes | RatingNetworkModel:
    """Return AutoRec.

    Reference: Sedhain et al., WWW 2015, doi:10.1145/2740908.2742726: h(r) = f(W g(V r + mu) + b),
    Σ (r - h(r))² over observed ratings + l2 / 2 (‖V‖² + ‖W‖²).

    Args:
        R: ratings, shape (n_users, n_items); every stored entry is one. Nothing else is input.
        form: which AutoRec.
        optimiser: "rprop" and "lbfgs" take all ratings in every step, as the authors did.
        n_epochs: passes over the ratings.
        learning_rate: step size; of "rprop" the first one.
        batch_size: vectors per step of the others.
        seed: of start and order.
        patience: epochs without a lower validation rmse before the fit stops.
        validation: rows and other ratings of the same rows; by default the last epoch is best.
        lowest: see rating_scale; likewise highest and fallback.
        highest: likewise.
        fallback: likewise.
        device: torch device.
        on_epoch: see fit_network.
        resume: likewise.

    Raises:
        ValueError: l2 is not positive, an activation does not fit, or as rating_scale.
        ArithmeticError: the loss is not finite.
    """
    _check(form)
    data = rating_data(R, form.centre, lowest=lowest, highest=highest, fallback=fallback)
    layers = Layers((form.n_factors,), (form.hidden_activation, form.output_activation))
    kind = _ItemNetwork if form.based_on == "item" else _UserNetwork
    network = kind(data, layers, form.l2, seed, device)
    state = fit_ratings(
        network, np.arange(network.n_rows), Training(n_epochs, batch_size, seed, patience),
        optimiser, learning_rate=learning_rate, validation=validation, on_epoch=on_epoch,
        resume=resume,
    )  # fmt: skip
    return network.fitted(state.best_epoch)


class _UserNetwork(RatingNetwork, TrainedNetwork):
    def __init__(self, data: RatingData, layers: Layers, l2: float, seed: int, device: str) -> None:
        vectors = self._vectors(data)
        super().__init__(int(vectors.shape[1]), layers, seed=seed)
        self.n_rows = int(vectors.shape[0])
        self._data, self._l2 = data, l2
        self._rows = SparseRows(vectors, device)
        self.to(device)

    def loss(self, rows: np.ndarray, _step: Step) -> Tensor:
        """Return the mean loss of the vectors named: a step's size does not grow with them."""
        batch = self._rows.take(rows)
        errors = observed_error(self(batch), batch).square().sum() / len(rows)
        return errors + 0.5 * self._l2 / self.n_rows * self.squared_weights()

    def fitted(self, best_epoch: int = 0) -> ItemCodes | RatingNetworkModel:
        """Return the fitted model."""
        _, offset, scale, rated = self._data
        return RatingNetworkModel(self.dense_layers(), offset, scale, rated, best_epoch=best_epoch)

    @staticmethod
    def _vectors(data: RatingData) -> sp.csr_array:
        return data.left


class _ItemNetwork(_UserNetwork):
    def fitted(self, best_epoch: int = 0) -> ItemCodes:
        """Return the codes of all items; the weights of rows are solved for."""
        with torch.no_grad():
            codes = [
                self.encoded(
                    self._rows.take(np.arange(start, min(start + 4096, self.n_rows))), None
                )
                for start in range(0, self.n_rows, 4096)
            ]
        _, offset, scale, rated = self._data
        return ItemCodes(
            torch.cat(codes).cpu().numpy(), 0.5 * self._l2, offset, scale, rated, best_epoch
        )

    @staticmethod
    def _vectors(data: RatingData) -> sp.csr_array:
        return by_item(data.left)


def _check(form: AutoRecForm) -> None:
    if form.l2 <= 0:
        raise ValueError(f"l2 must be positive, got {form.l2}")
    check_output(form.based_on, form.output_activation)
