"""A fitted model as named arrays and a few numbers, and back: what is kept, without pickle.

A form says which arrays there are; several kinds of model may have the same one.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from models.content.content_space import ContentSpace
from models.elsa.compressed_elsa import CompressedELSA
from models.elsa.elsa import ELSA
from models.elsa.elsa_content import ContentELSA
from models.elsa.elsa_content_gradient import Mode
from models.factors.factor_baseline import BPR, IALS
from models.fitted_model import FittedModel
from models.item_item.item_item import ItemItem, SparseItemItem
from models.network.autoencoder import Autoencoder
from models.network.layer_arrays import Parameter, autoencoder_arrays, autoencoder_of
from models.network.svae import SVAE
from models.network.svae_arrays import svae_arrays, svae_of
from models.popularity import Popularity
from models.random_model import RandomModel
from models.rating.biased_mf import BiasedMF
from models.rating.combined_model import CombinedAutoencoder
from models.rating.item_codes import ItemCodes
from models.rating.rating_arrays import rating_arrays, rating_model_of
from models.rating.rating_bias import RatingBias
from models.rating.rating_network_model import RatingNetworkModel
from models.rating.rating_scale import RatingScale

_CSR, _SPACE = ("indptr", "indices", "data"), "content_"


class ModelArrays(NamedTuple):
    """A fitted model, ready to be kept."""

    form: str
    arrays: dict[str, np.ndarray]
    parameters: dict[str, Parameter]


def arrays_of(model: FittedModel) -> ModelArrays:  # noqa: C901 - one case a form
    """Return what model_of makes the model from, besides its counts."""
    match model:
        case ELSA():
            arrays = {} if model.W is None else _parts(model.W, "residual")
            arrays |= {"factors": model.A, "tempering": np.array([model.alpha, model.beta])}
            return ModelArrays("elsa", arrays, {})
        case CompressedELSA():
            tempering = np.array([model.alpha, model.beta])
            arrays = _parts(model.A, "factors") | {"tempering": tempering}
            return ModelArrays("compressed_elsa", arrays, {"n_factors": model.A.shape[1]})
        case ContentELSA():
            arrays = {"encoder": model.E, "decoder": model.D}
            space = {} if model.space is None else model.space.arrays()
            arrays |= {f"{_SPACE}{name}": array for name, array in space.items()}
            lists = model.mode == "decoder"
            told: dict[str, Parameter] = {"lists_by_content": lists, "beta": model.beta}
            return ModelArrays("elsa_content", arrays, told)
        case ItemItem():
            return ModelArrays("item_item", {"weights": model.B}, {})
        case SparseItemItem():
            right = {} if model.right is None else _parts(model.right, "right")
            return ModelArrays("sparse_item_item", _parts(model.left, "left") | right, {})
        case IALS():
            told = {"l2": model.l2, "weight": model.weight}
            return ModelArrays("ials", {"factors": model.decoder}, told)
        case BPR():
            arrays = {"factors": model.decoder, "projection": model.projection}
            return ModelArrays("bpr", arrays, {})
        case Autoencoder():
            return ModelArrays("autoencoder", *autoencoder_arrays(model))
        case SVAE():
            return ModelArrays("svae", *svae_arrays(model))
        case Popularity():
            return ModelArrays("popularity", {}, {})
        case RandomModel():
            return ModelArrays("random", {}, {"seed": model.seed})
        case RatingBias():
            numbers = np.array([model.mean, model.user_l2, *model.scale])
            arrays = {"bias": model.bias, "numbers": numbers, "rated": model.rated}
            return ModelArrays("rating_bias", arrays, {})
        case BiasedMF() | ItemCodes() | RatingNetworkModel() | CombinedAutoencoder():
            return ModelArrays(*rating_arrays(model))


def model_of(  # noqa: C901 - one case a form
    form: str,
    arrays: Mapping[str, np.ndarray],
    parameters: Mapping[str, Parameter],
    counts: np.ndarray,
) -> FittedModel:
    """Return the model that was kept; arrays are taken as they are, not copied.

    Args:
        form: as arrays_of says it.
        arrays: likewise, by name.
        parameters: likewise.
        counts: users who had each item in training, shape (n_items,).

    Raises:
        ValueError: there is no such form.
    """
    match form:
        case "elsa":
            alpha, beta = arrays["tempering"].tolist()
            W = _joined(arrays, "residual", len(counts)) if "residual_data" in arrays else None
            return ELSA(arrays["factors"], counts, alpha, beta, W=W)
        case "compressed_elsa":
            alpha, beta = arrays["tempering"].tolist()
            A = _joined(arrays, "factors", len(counts), int(parameters["n_factors"]))
            return CompressedELSA(A, counts, alpha, beta)
        case "elsa_content":
            return _content_elsa(arrays, parameters, counts)
        case "item_item":
            return ItemItem(arrays["weights"])
        case "sparse_item_item":
            right = _joined(arrays, "right", len(counts)) if "right_data" in arrays else None
            return SparseItemItem(_joined(arrays, "left", len(counts)), right)
        case "ials":
            return IALS(arrays["factors"], float(parameters["l2"]), float(parameters["weight"]))
        case "bpr":
            return BPR(arrays["factors"], arrays["projection"])
        case "autoencoder":
            return autoencoder_of(arrays, parameters)
        case "svae":
            return svae_of(arrays, parameters)
        case "popularity":
            return Popularity(counts)
        case "random":
            return RandomModel(len(counts), int(parameters["seed"]))
        case "rating_bias":
            mean, user_l2, *scale = arrays["numbers"].tolist()
            rated = np.asarray(arrays["rated"])
            return RatingBias(arrays["bias"], mean, user_l2, RatingScale(*scale), rated)
        case "biased_mf" | "item_codes" | "rating_network" | "combined_autoencoder":
            return rating_model_of(form, arrays, parameters)
        case _:
            raise ValueError(f"the form of a model must be one that is known here, got {form}")


def _content_elsa(
    arrays: Mapping[str, np.ndarray], parameters: Mapping[str, Parameter], counts: np.ndarray
) -> ContentELSA:
    of_space = {
        name.removeprefix(_SPACE): arrays[name] for name in arrays if name.startswith(_SPACE)
    }
    mode: Mode = "decoder" if parameters["lists_by_content"] else "encoder"
    return ContentELSA(
        arrays["encoder"], arrays["decoder"], mode, counts=counts, beta=float(parameters["beta"]),
        space=ContentSpace.from_arrays(of_space) if of_space else None,
    )  # fmt: skip


def _parts(M: sp.csr_array, name: str) -> dict[str, np.ndarray]:
    return {f"{name}_{part}": getattr(M, part) for part in _CSR}


def _joined(
    arrays: Mapping[str, np.ndarray], name: str, n_items: int, width: int | None = None
) -> sp.csr_array:
    indptr, indices, data = (np.asarray(arrays[f"{name}_{part}"]) for part in _CSR)
    shape = (n_items, n_items if width is None else width)
    return sp.csr_array((data, indices, indptr), shape=shape)
