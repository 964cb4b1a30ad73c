"""Fitted models of ratings as named arrays and a few words, and back."""

from collections.abc import Mapping
from typing import cast

import numpy as np

from models.biased_mf import BiasedMF
from models.dense_layer import Activation, Dense
from models.item_codes import ItemCodes
from models.layer_arrays import Parameter
from models.rating_network_model import RatingNetworkModel
from models.rating_offset import RatingOffset
from models.rating_scale import RatingScale

Named = dict[str, np.ndarray]
Learnt = BiasedMF | ItemCodes | RatingNetworkModel


def rating_arrays(model: Learnt) -> tuple[str, Named, dict[str, Parameter]]:
    """Return the form of a model, its arrays and its parameters.

    The array ``numbers`` begins with lowest, highest and fallback of the scale and the mean.
    """
    match model:
        case BiasedMF():
            numbers = np.array([*model.scale, model.mean, model.l2])
            arrays = {"factors": model.factors, "item": model.bias, "rated": model.rated}
            return "biased_mf", arrays | {"numbers": numbers}, {}
        case ItemCodes():
            arrays = _offset(model) | {"codes": model.codes}
            if model.embedding is not None:
                arrays["embedding"] = model.embedding
            return "item_codes", arrays | {"numbers": _numbers(model, model.l2)}, {}
        case RatingNetworkModel():
            arrays = _offset(model) | {"numbers": _numbers(model, model.unit)}
            for place, layer in enumerate(model.layers):
                arrays |= {f"layer_{place}_weights": layer.W, f"layer_{place}_bias": layer.b}
            words = " ".join(layer.activation for layer in model.layers)
            told: dict[str, Parameter] = {
                "activations": words, "code": model.code, "k_sparse": model.k_sparse or 0,
            }  # fmt: skip
            return "rating_network", arrays, told


def rating_model_of(
    form: str, arrays: Mapping[str, np.ndarray], parameters: Mapping[str, Parameter]
) -> Learnt:
    """Return the model that rating_arrays was given; arrays are taken as they are."""
    numbers = arrays["numbers"].tolist()
    scale, mean, rated = RatingScale(*numbers[:3]), numbers[3], np.asarray(arrays["rated"])
    if form == "biased_mf":
        return BiasedMF(arrays["factors"], arrays["item"], mean, numbers[4], scale, rated)
    offset = RatingOffset(mean, arrays["item"], numbers[4])
    if form == "item_codes":
        embedding = arrays.get("embedding")
        return ItemCodes(arrays["codes"], numbers[5], offset, scale, rated, embedding=embedding)
    layers = tuple(
        Dense(
            arrays[f"layer_{place}_weights"], arrays[f"layer_{place}_bias"], cast(Activation, word)
        )
        for place, word in enumerate(str(parameters["activations"]).split())
    )
    return RatingNetworkModel(
        layers, offset, scale, rated, numbers[5], int(parameters["code"]),
        int(parameters["k_sparse"]) or None,
    )  # fmt: skip


def _offset(model: ItemCodes | RatingNetworkModel) -> Named:
    return {"item": model.offset.item, "rated": model.rated}


def _numbers(model: ItemCodes | RatingNetworkModel, own: float) -> np.ndarray:
    return np.array([*model.scale, model.offset.mean, model.offset.user_l2, own])
