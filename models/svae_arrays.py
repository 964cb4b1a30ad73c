"""SVAE as named arrays and back: the layers as an autoencoder's, besides embedding and GRU."""

from collections.abc import Mapping
from typing import cast, get_args

import numpy as np

from models.dense_layer import Activation, Dense
from models.gru import GRU
from models.svae import SVAE

_GRU = GRU._fields


def svae_arrays(model: SVAE) -> tuple[dict[str, np.ndarray], dict[str, float | int | str]]:
    """Return ``embedding``, ``gru_<name>``, ``layer_<n>_weights`` and ``_bias``, and what is said.

    Args:
        model: fitted; the parameters tell its activations and how much of a row it reads.
    """
    layers = (*model.layers, model.last)
    arrays = {"embedding": model.embedding}
    arrays |= {f"gru_{name}": getattr(model.gru, name) for name in _GRU}
    for place, layer in enumerate(layers):
        arrays |= {f"layer_{place}_weights": layer.W, f"layer_{place}_bias": layer.b}
    words = " ".join(layer.activation for layer in layers)
    return arrays, {"activations": words, "max_length": model.max_length}


def svae_of(arrays: Mapping[str, np.ndarray], parameters: Mapping[str, float | int | str]) -> SVAE:
    """Return the model that svae_arrays was given; arrays are taken as they are.

    Raises:
        ValueError: an activation is not known here.
    """
    words = str(parameters["activations"]).split()
    layers = [
        Dense(arrays[f"layer_{place}_weights"], arrays[f"layer_{place}_bias"], _known(word))
        for place, word in enumerate(words)
    ]
    gru = GRU(*(np.asarray(arrays[f"gru_{name}"]) for name in _GRU))
    return SVAE(
        arrays["embedding"], gru, tuple(layers[:-1]), layers[-1], int(parameters["max_length"])
    )


def _known(word: str) -> Activation:
    if word not in get_args(Activation):
        raise ValueError(f"activations must be of {get_args(Activation)}, got {word}")
    return cast(Activation, word)
