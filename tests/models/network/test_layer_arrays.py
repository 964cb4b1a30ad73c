"""Layers as arrays and words."""

import json

import numpy as np
import pytest

from models.network.autoencoder import Autoencoder
from models.network.dense_layer import Dense
from models.network.layer_arrays import autoencoder_arrays, autoencoder_of


def dense(n_in: int, n_out: int, activation: str) -> Dense:
    """Ones."""
    return Dense(np.ones((n_in, n_out), np.float32), np.ones(n_out, np.float32), activation)


def test_layers_come_back_through_json():
    """In their order, with what is done to rows."""
    model = Autoencoder((dense(3, 2, "selu"), dense(2, 3, "identity")), binary=False)
    arrays, parameters = autoencoder_arrays(model)
    assert sorted(arrays) == [
        "layer_0_bias", "layer_0_weights", "layer_1_bias", "layer_1_weights"
    ]  # fmt: skip
    again = autoencoder_of(arrays, json.loads(json.dumps(parameters)))
    assert [each.activation for each in again.layers] == ["selu", "identity"]
    assert [each.W.shape for each in again.layers] == [(3, 2), (2, 3)]
    assert (again.unit_rows, again.binary) == (False, False)


def test_activation_of_a_later_version_is_refused():
    """With those that are known."""
    arrays, parameters = autoencoder_arrays(Autoencoder((dense(3, 3, "identity"),)))
    with pytest.raises(ValueError, match=r"activations must be of .*tanh.* got \['swish'\]"):
        autoencoder_of(arrays, parameters | {"activations": "swish"})
