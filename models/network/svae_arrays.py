"""SVAE as named arrays and back: the layers as an autoencoder's, besides embedding and GRU."""

from collections.abc import Mapping

import numpy as np

from models.network.gru import GRU
from models.network.layer_arrays import Parameter, layer_arrays, layers_of
from models.network.svae import SVAE

_GRU = GRU._fields


def svae_arrays(model: SVAE) -> tuple[dict[str, np.ndarray], dict[str, Parameter]]:
    """Return ``embedding``, ``gru_<name>``, ``layer_<n>_weights`` and ``_bias``, and what is said.

    Args:
        model: fitted; the parameters tell its activations and how much of a row it reads.
    """
    arrays, words = layer_arrays((*model.layers, model.last))
    arrays |= {f"gru_{name}": getattr(model.gru, name) for name in _GRU}
    arrays["embedding"] = model.embedding
    return arrays, {"activations": words, "max_length": model.max_length}


def svae_of(arrays: Mapping[str, np.ndarray], parameters: Mapping[str, Parameter]) -> SVAE:
    """Return the model that svae_arrays was given; arrays are taken as they are.

    Raises:
        ValueError: an activation is not known here.
    """
    *layers, last = layers_of(arrays, parameters["activations"])
    gru = GRU(*(np.asarray(arrays[f"gru_{name}"]) for name in _GRU))
    return SVAE(arrays["embedding"], gru, tuple(layers), last, int(parameters["max_length"]))
