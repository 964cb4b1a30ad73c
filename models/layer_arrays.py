"""A fitted autoencoder as named arrays and a few words, and back."""

from collections.abc import Mapping
from typing import cast, get_args

import numpy as np

from models.autoencoder import Autoencoder
from models.dense_layer import Activation, Dense

Parameter = float | int | str  # what JSON keeps of a model besides its arrays


def layer_arrays(model: Autoencoder) -> tuple[dict[str, np.ndarray], dict[str, Parameter]]:
    """Return ``layer_<n>_weights`` and ``layer_<n>_bias`` from 0, and what is said of them.

    The parameters are the activations, a word for every layer, and whether rows are brought to
    unit length and taken as zeros and ones.
    """
    arrays: dict[str, np.ndarray] = {}
    for place, layer in enumerate(model.layers):
        arrays |= {f"layer_{place}_weights": layer.W, f"layer_{place}_bias": layer.b}
    words = " ".join(layer.activation for layer in model.layers)
    return arrays, {
        "activations": words,
        "unit_rows": int(model.unit_rows),
        "binary": int(model.binary),
    }


def autoencoder_of(
    arrays: Mapping[str, np.ndarray], parameters: Mapping[str, Parameter]
) -> Autoencoder:
    """Return the model that layer_arrays was given; arrays are taken as they are.

    Raises:
        ValueError: an activation is not known here.
    """
    words = str(parameters["activations"]).split()
    unknown = set(words) - set(get_args(Activation))
    if unknown:
        raise ValueError(f"activations must be of {get_args(Activation)}, got {sorted(unknown)}")
    layers = tuple(
        Dense(
            arrays[f"layer_{place}_weights"], arrays[f"layer_{place}_bias"], cast(Activation, word)
        )
        for place, word in enumerate(words)
    )
    unit_rows, binary = bool(parameters["unit_rows"]), bool(parameters["binary"])
    return Autoencoder(layers, unit_rows=unit_rows, binary=binary)
