"""Fitted layers and autoencoders as named arrays and a few words, and back."""

from collections.abc import Mapping, Sequence
from typing import cast, get_args

import numpy as np

from models.network.autoencoder import Autoencoder
from models.network.dense_layer import Activation, Dense

Parameter = float | int | str  # what JSON keeps of a model besides its arrays


def layer_arrays(layers: Sequence[Dense], name: str = "layer") -> tuple[dict[str, np.ndarray], str]:
    """Return ``<name>_<n>_weights`` and ``<name>_<n>_bias`` from 0, and the activations."""
    arrays: dict[str, np.ndarray] = {}
    for place, layer in enumerate(layers):
        arrays |= {f"{name}_{place}_weights": layer.W, f"{name}_{place}_bias": layer.b}
    return arrays, " ".join(layer.activation for layer in layers)


def layers_of(
    arrays: Mapping[str, np.ndarray], activations: Parameter, name: str = "layer"
) -> tuple[Dense, ...]:
    """Return the layers that layer_arrays was given; arrays are taken as they are.

    Raises:
        ValueError: an activation is not known here.
    """
    words = str(activations).split()
    unknown = set(words) - set(get_args(Activation))
    if unknown:
        raise ValueError(f"activations must be of {get_args(Activation)}, got {sorted(unknown)}")
    return tuple(
        Dense(
            arrays[f"{name}_{place}_weights"], arrays[f"{name}_{place}_bias"],
            cast(Activation, word),
        )
        for place, word in enumerate(words)
    )  # fmt: skip


def autoencoder_arrays(model: Autoencoder) -> tuple[dict[str, np.ndarray], dict[str, Parameter]]:
    """Return the arrays of the layers, and what is said of them.

    The parameters are the activations, and whether rows are brought to unit length and taken as
    zeros and ones.
    """
    arrays, words = layer_arrays(model.layers)
    return arrays, {
        "activations": words,
        "unit_rows": int(model.unit_rows),
        "binary": int(model.binary),
    }


def autoencoder_of(
    arrays: Mapping[str, np.ndarray], parameters: Mapping[str, Parameter]
) -> Autoencoder:
    """Return the model that autoencoder_arrays was given; arrays are taken as they are.

    Raises:
        ValueError: an activation is not known here.
    """
    layers = layers_of(arrays, parameters["activations"])
    unit_rows, binary = bool(parameters["unit_rows"]), bool(parameters["binary"])
    return Autoencoder(layers, unit_rows=unit_rows, binary=binary)
