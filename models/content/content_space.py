"""How descriptions of items become rows of content, fitted once, so that later items fit in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from models.content.text_vector import TextVectors, fit_text_vectors
from models.elsa.elsa_content_matrix import NumberScale, fit_number_scale, joined_content


class Described(NamedTuple):
    """What is known of some items, a row each; None where nobody is asked."""

    terms: sp.csr_array | None  # (n_items, n_terms) counts
    numbers: Float[np.ndarray, "n_items n_numbers"] | None  # nan where not known
    embeddings: Float[np.ndarray, "n_items n_given"] | None  # zero where not known


@dataclass(frozen=True)
class ContentSpace:
    """Texts, numbers and given vectors side by side, each a block of columns that may be absent."""

    texts: TextVectors | None = None
    numbers: NumberScale | None = None
    number_names: tuple[str, ...] = ()  # of the numbers, in their order
    n_given: int = 0  # width of the vectors that are given

    @property
    def width(self) -> int:
        """Columns of a row."""
        n_topics = 0 if self.texts is None else len(self.texts.strength)
        return n_topics + len(self.number_names) + self.n_given

    def rows(self, described: Described) -> Float[np.ndarray, "n_items width"]:
        """Return unit rows, float32; zero where nothing is known of an item.

        Raises:
            ValueError: a number is infinite, or given vectors have another width.
        """
        blocks = []
        if self.texts is not None and described.terms is not None:
            blocks.append(self.texts.vectors(described.terms)[0])
        if self.numbers is not None and described.numbers is not None:
            blocks.append(self.numbers.vectors(described.numbers))
        if self.n_given and described.embeddings is not None:
            blocks.append(described.embeddings)
        width = sum(each.shape[1] for each in blocks)
        if width != self.width:
            raise ValueError(f"content of items must have {self.width} columns, got {width}")
        return joined_content(blocks)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what from_arrays makes the space from, by name; nothing needs pickle."""
        arrays = {"n_given": np.array(self.n_given)}
        if self.texts is not None:
            names = ("terms", "rarity", "topics", "strength")
            arrays |= {name: np.asarray(getattr(self.texts, name)) for name in names}
        if self.numbers is not None:
            arrays |= {"mean": self.numbers.mean, "spread": self.numbers.spread}
            arrays |= {"number_names": np.array(self.number_names, dtype=np.str_)}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "ContentSpace":
        """Return the space that these arrays were of."""
        texts = numbers = None
        names: tuple[str, ...] = ()
        if "topics" in arrays:
            parts = (arrays[each] for each in ("terms", "rarity", "topics", "strength"))
            texts = TextVectors(*parts)
        if "mean" in arrays:
            numbers = NumberScale(np.asarray(arrays["mean"]), np.asarray(arrays["spread"]))
            names = tuple(arrays["number_names"].tolist())
        return cls(texts, numbers, names, int(arrays["n_given"]))


def fit_content_space(
    described: Described, *, number_names: tuple[str, ...], n_dimensions: int, seed: int
) -> ContentSpace | None:
    """Return the space of a catalogue; None if it tells no two items apart.

    Args:
        described: the items of the catalogue.
        number_names: of its numbers, in their order.
        n_dimensions: most topics of the texts.
        seed: of the decomposition.

    Raises:
        ValueError: a number is infinite.
    """
    texts = None
    if described.terms is not None and described.terms.nnz:
        texts = fit_text_vectors(described.terms, n_dimensions=n_dimensions, seed=seed)
    numbers = None if described.numbers is None else fit_number_scale(described.numbers)
    n_given = 0 if described.embeddings is None else described.embeddings.shape[1]
    if texts is None and numbers is None and not n_given:
        return None
    return ContentSpace(texts, numbers, number_names if numbers is not None else (), n_given)
