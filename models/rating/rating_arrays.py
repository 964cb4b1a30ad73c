"""Fitted models of ratings as named arrays and a few words, and back."""

from collections.abc import Mapping
from typing import cast

import numpy as np

from models.network.layer_arrays import Parameter, layer_arrays, layers_of
from models.rating.biased_mf import BiasedMF
from models.rating.combined_model import CombinedAutoencoder, Way
from models.rating.item_codes import ItemCodes
from models.rating.rating_network_model import RatingNetworkModel
from models.rating.rating_offset import RatingOffset
from models.rating.rating_scale import RatingScale

Named = dict[str, np.ndarray]
Learnt = BiasedMF | ItemCodes | RatingNetworkModel | CombinedAutoencoder


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
            arrays, words = layer_arrays(model.layers)
            arrays |= _offset(model) | {"numbers": _numbers(model, model.unit)}
            told: dict[str, Parameter] = {
                "activations": words, "code": model.code, "k_sparse": model.k_sparse or 0,
            }  # fmt: skip
            return "rating_network", arrays, told
        case CombinedAutoencoder():
            _, of_items, _ = rating_arrays(model.of_items)
            _, of_users, told = rating_arrays(model.of_users)
            numbers = np.append(of_items["numbers"], model.of_users.unit)
            head, words = layer_arrays(model.head, "head")
            arrays = of_users | of_items | head | {"numbers": numbers}
            told |= {"head_activations": words, "way": model.way}
            return "combined_autoencoder", arrays, told


def rating_model_of(
    form: str, arrays: Mapping[str, np.ndarray], parameters: Mapping[str, Parameter]
) -> Learnt:
    """Return the model that rating_arrays was given; arrays are taken as they are."""
    numbers = arrays["numbers"].tolist()
    scale, mean, rated = RatingScale(*numbers[:3]), numbers[3], np.asarray(arrays["rated"])
    if form == "biased_mf":
        return BiasedMF(arrays["factors"], arrays["item"], mean, numbers[4], scale, rated)
    if form == "combined_autoencoder":
        return _combined(arrays, parameters)
    offset = RatingOffset(mean, arrays["item"], numbers[4])
    if form == "item_codes":
        embedding = arrays.get("embedding")
        return ItemCodes(arrays["codes"], numbers[5], offset, scale, rated, embedding=embedding)
    layers = layers_of(arrays, parameters["activations"])
    return RatingNetworkModel(
        layers, offset, scale, rated, numbers[5], int(parameters["code"]),
        int(parameters["k_sparse"]) or None,
    )  # fmt: skip


def _combined(
    arrays: Mapping[str, np.ndarray], parameters: Mapping[str, Parameter]
) -> CombinedAutoencoder:
    numbers = np.asarray(arrays["numbers"])  # those of the items' half, and the users' unit
    of_items, of_users = ({**arrays, "numbers": np.delete(numbers, each)} for each in (6, 5))
    items = rating_model_of("item_codes", of_items, {})
    users = rating_model_of("rating_network", of_users, parameters)
    assert isinstance(items, ItemCodes)
    assert isinstance(users, RatingNetworkModel)
    first, last = layers_of(arrays, parameters["head_activations"], "head")
    return CombinedAutoencoder(items, users, (first, last), cast(Way, parameters["way"]))


def _offset(model: ItemCodes | RatingNetworkModel) -> Named:
    return {"item": model.offset.item, "rated": model.rated}


def _numbers(model: ItemCodes | RatingNetworkModel, own: float) -> np.ndarray:
    return np.array([*model.scale, model.offset.mean, model.offset.user_l2, own])
