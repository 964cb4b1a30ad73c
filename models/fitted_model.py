"""What a fitted model of any kind is asked for besides scores: vectors, neighbours, reasons."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from models.elsa.compressed_elsa import CompressedELSA
from models.elsa.elsa import ELSA
from models.elsa.elsa_content import ContentELSA
from models.factors.factor_baseline import BPR, IALS
from models.factors.factor_reason import explain_factors
from models.item_item.item_item import LEAST, ItemItem, SparseItemItem, rank_similar
from models.item_item.item_item_reason import explain_item_item
from models.item_item.topped_up import ToppedUp
from models.item_rows import over_items
from models.network.autoencoder import Autoencoder
from models.network.svae import SVAE
from models.popularity import Popularity
from models.random_model import RandomModel
from models.ranking.explanation import explain, explain_sparse
from models.ranking.ranking import Block, rank_items
from models.rating.biased_mf import BiasedMF
from models.rating.combined_model import CombinedAutoencoder
from models.rating.item_codes import ItemCodes
from models.rating.rating_bias import RatingBias
from models.rating.rating_network_model import RatingNetworkModel

FittedModel = (
    ELSA
    | CompressedELSA
    | ContentELSA
    | Autoencoder
    | SVAE
    | ItemItem
    | SparseItemItem
    | IALS
    | BPR
    | Popularity
    | RandomModel
    | RatingBias
    | BiasedMF
    | ItemCodes
    | RatingNetworkModel
    | CombinedAutoencoder
)


def item_vectors(model: FittedModel) -> Float[np.ndarray, "n_items n_factors"] | None:
    """Return the vectors of the items, unit rows for known ones; None if there are none."""
    match model:
        case ELSA():
            return model.A
        case IALS() | BPR() | CompressedELSA() | ContentELSA() | Autoencoder() | SVAE():
            return model.vectors
        case BiasedMF() | ItemCodes() | RatingNetworkModel() | CombinedAutoencoder():
            return model.vectors
        case _:
            return None


def likens_items(model: FittedModel) -> bool:
    """Tell whether the model says which items are alike."""
    return not isinstance(model, Popularity | RandomModel | RatingBias)


def rank_neighbours(
    model: FittedModel,
    *,
    k: int,
    eligible: Bool[np.ndarray, " n_items"],
    sources: Int[np.ndarray, " n_sources"],
) -> Iterator[Block]:
    """Yield the eligible items most like every source; nothing if the model likens no items.

    Those are the items of the largest cosine for a model with vectors, and what a user would be
    given who has only the source for an item-item model.

    Args:
        model: fitted, over n_items.
        k: length of a list.
        eligible: items that may be listed.
        sources: item indices to find neighbours of.

    Yields:
        As rank_users, rows being places in sources.
    """
    vectors = item_vectors(model)
    if vectors is not None:
        yield from rank_items(vectors, k=k, eligible=eligible, sources=sources)
    elif isinstance(model, ItemItem | SparseItemItem):
        yield from rank_similar(model, k=k, eligible=eligible, sources=sources)


def explain_lists(
    model: FittedModel, X: sp.csr_array, items: Int[np.ndarray, "batch k"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the seen item that contributes most to every listed item, and its share.

    Args:
        model: fitted, over n_items.
        X: histories with weights, shape (batch, n_items), sorted indices.
        items: lists, padded with -1.

    Returns:
        Because (batch, k) int32, -1 where nothing speaks for the item or the model looks at no
        history, or is an autoencoder, whose scores are no sums over items; share (batch, k)
        float32 in (0, 1], nan where there is no reason.
    """
    match model:
        case ELSA():
            beside = None if model.W is None else (model.W, X)
            return explain(model.A, model.temper(X), items, D=model.decoder, beside=beside)
        case CompressedELSA():
            return explain_sparse(model.A, model.temper(X), items)
        case ItemItem() | SparseItemItem():
            return explain_item_item(model, X, items)
        case IALS() | BPR() | ContentELSA():
            return explain_factors(model, X, items)
        case _:
            nothing = np.full(items.shape, np.nan, dtype=np.float32)
            return np.full(items.shape, -1, dtype=np.int32), nothing


def listable_items(
    model: FittedModel, known: Bool[np.ndarray, " n_items"]
) -> Bool[np.ndarray, " n_items"]:
    """Return the items that the model itself may list: the known ones, or those with content.

    Args:
        model: over n_items.
        known: items that somebody had in training.
    """
    if not isinstance(model, ContentELSA):
        return known
    return model.listable if model.mode == "decoder" else known & model.listable


def readable_items(
    model: FittedModel, known: Bool[np.ndarray, " n_items"]
) -> Bool[np.ndarray, " n_items"]:
    """Return the items of a history that tell the model something, likewise."""
    return model.readable if isinstance(model, ContentELSA) else known


def lowest_listed(model: FittedModel) -> float | None:
    """Return the lowest score that is a recommendation; None if every score is one.

    A sparse model says nothing of the items without an entry: other sources fill their places.
    """
    return LEAST if isinstance(model, SparseItemItem) else None


def topped_up(model: FittedModel, counts: Int[np.ndarray, " n_items"]) -> FittedModel | ToppedUp:
    """Return what ranks every item: the model, topped up by popularity where it is sparse.

    Args:
        model: fitted, over n_items.
        counts: users who had each item.
    """
    return ToppedUp(model, counts) if isinstance(model, SparseItemItem) else model


def laid_over(model: FittedModel, known: Bool[np.ndarray, " n_items"]) -> FittedModel:
    """Return the model over at least as many items as it has; unknown ones add nothing.

    Args:
        model: fitted over the first items; left unchanged.
        known: of all items, false for those beyond the model.
    """
    match model:
        case ELSA() | CompressedELSA() | ContentELSA() | Autoencoder() | SVAE() | RatingBias():
            return model.laid_over(known)
        case BiasedMF() | ItemCodes() | RatingNetworkModel() | CombinedAutoencoder():
            return model.laid_over(known)
        case IALS() | BPR():
            return replace(model, decoder=over_items(model.decoder, known))
        case Popularity():
            return Popularity(_longer(model.counts, known))
        case RandomModel():
            return replace(model, n_items=len(known), known=known)
        case _:
            return model


def _longer(counts: np.ndarray | None, known: np.ndarray) -> np.ndarray:
    longer = np.zeros(len(known), dtype=np.int64)
    if counts is not None:
        longer[: len(counts)] = counts
    return longer
