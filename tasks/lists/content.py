"""What the catalogue says about items, as vectors: likeness for items that nobody has met."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import scipy.sparse as sp

from models.content.text_vector import TextVectors, fit_text_vectors
from tasks.catalogue import read_catalogue
from tasks.lake import Night

logger = logging.getLogger(__name__)
N_DIMENSIONS = 128
TEXTS = ("title", "category", "text")
_N_TERMS = 2**17  # terms share a column by chance; so no dictionary is held
N_FITTED = 65_536  # most items that topics are found from, evenly spread over the catalogue
BLOCK = 16_384  # items turned into vectors at once
_LONGEST = 4_000  # letters of a text that are read
# a word, or one letter of a script that writes no spaces (kana, Chinese)
_WORD = re.compile(r"[^\W\u3040-\u30ff\u3400-\u9fff]+|[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True)
class ContentVectors:
    """Vectors of items by their texts, for ContentModel of models; products are cosines."""

    V: np.ndarray  # (n_items, n_dimensions) float32, unit rows, zero where not known
    known: np.ndarray  # (n_items,) bool


def content_vectors(night: Night, item_ids: pl.Series, *, seed: int) -> ContentVectors | None:
    """Return vectors of items by title, category and text; None if the catalogue likens nothing.

    Beside the vectors, memory does not grow with the catalogue.

    Args:
        night: whose catalogue.
        item_ids: of tonight's items.
        seed: of the decomposition.
    """
    documents = _documents(night, item_ids)
    fitted = documents.gather_every(max(-(-documents.height // N_FITTED), 1))
    if fitted.is_empty():
        return None
    made_with = fit_text_vectors(term_counts(fitted), n_dimensions=N_DIMENSIONS, seed=seed)
    if made_with is None:
        return None
    V = np.zeros((len(item_ids), len(made_with.strength)), dtype=np.float32)
    known = np.zeros(len(item_ids), dtype=bool)
    for items, vectors, are_known in _vectors(documents, made_with):
        V[items], known[items] = vectors, are_known
    logger.info("content: %d of %d items known by %d topics", known.sum(), len(known), V.shape[1])
    return ContentVectors(V, known) if known.any() else None


def _documents(night: Night, item_ids: pl.Series) -> pl.DataFrame:
    """Return item (index), title, category and text of the items that have any of them."""
    found = read_catalogue(night, only=TEXTS)
    items = pl.DataFrame({"item_id": item_ids, "item": np.arange(len(item_ids))})
    if found.is_empty():
        return items.clear()
    told = pl.any_horizontal(pl.col(TEXTS).str.contains(r"\w"))
    listed = found.filter(told).with_columns(pl.col("item_id").cast(item_ids.dtype))
    return items.join(listed, on="item_id", maintain_order="left").drop("item_id")


def _vectors(
    documents: pl.DataFrame, made_with: TextVectors
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for part in documents.iter_slices(BLOCK):
        yield part["item"].to_numpy(), *made_with.vectors(term_counts(part))


def term_counts(documents: pl.DataFrame) -> sp.csr_array:
    """Return how often every term is in every document, shape (n_documents, _N_TERMS).

    Args:
        documents: title, category and text; any may be null.
    """
    from sklearn.feature_extraction.text import HashingVectorizer  # takes a second to import

    hashing = HashingVectorizer(
        analyzer=_terms, n_features=_N_TERMS, alternate_sign=False, norm=None, dtype=np.float32
    )
    return sp.csr_array(hashing.transform(documents.select(TEXTS).iter_rows()))


def _terms(document: tuple[str | None, str | None, str | None]) -> list[str]:
    title, category, text = (part or "" for part in document)
    words = _WORD.findall(f"{title} {category} {text[:_LONGEST]}".lower())
    return [*words, f"category: {category.lower()}"] if category else words
