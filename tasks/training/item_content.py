"""Content of items for a model that learns with it: texts and numbers of the catalogue, vectors."""

import glob
import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.config import ItemsConfig, NightlyConfig
from data_contracts.errors import ConfigError
from data_contracts.manifests import MatrixManifest
from data_contracts.model_config import ContentELSAConfig, ModelConfig
from models.content.content_space import ContentSpace, Described, fit_content_space
from models.elsa.elsa_content import ContentELSA
from tasks.catalogue import catalogue_fingerprint, read_catalogue, read_numbers
from tasks.id_type import id_type
from tasks.judging.contender import Contender
from tasks.lake import Night
from tasks.lists.content import BLOCK, N_FITTED, TEXTS, term_counts
from tasks.training.fit_data import ItemContent
from tasks.training.given_vectors import given_vectors, vectors_fingerprint
from tasks.vocabulary.universe import item_universe

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Catalogue:
    """What is known of some items, a row each."""

    texts: pl.DataFrame
    numbers: np.ndarray | None  # (n_items, n_numbers), nan where not known
    vectors: np.ndarray | None  # (n_items, n_given), zero where not known

    def of(self, items: np.ndarray) -> Described:
        """Return what is known of some of them."""
        return Described(
            term_counts(self.texts[items]),
            None if self.numbers is None else self.numbers[items],
            None if self.vectors is None else self.vectors[items],
        )

    def rows(self, space: ContentSpace) -> np.ndarray:
        """Return the content of all of them, made block by block."""
        starts = range(0, self.texts.height, BLOCK)
        parts = [
            space.rows(self.of(np.arange(start, min(start + BLOCK, self.texts.height))))
            for start in starts
        ]
        return np.concatenate([np.zeros((0, space.width), np.float32), *parts])

    @property
    def told(self) -> np.ndarray:
        """Items of which anything is known; rising."""
        text = self.texts.select(pl.any_horizontal(pl.col(TEXTS).str.contains(r"\w")))
        told = text.to_series().fill_null(value=False).to_numpy().copy()
        if self.numbers is not None:
            told |= ~np.isnan(self.numbers).all(axis=1)
        if self.vectors is not None:
            told |= self.vectors.any(axis=1)
        return np.flatnonzero(told)


def night_content(night: Night, matrices: MatrixManifest) -> ItemContent | None:
    """Return the content of a night's vocabulary; None if its model needs none.

    Topics and scales are those of the whole catalogue, also of items that nobody has met.

    Raises:
        ConfigError: there is nothing that tells items apart.
        ContractViolationError: the catalogue or the vectors are not as they must be.
    """
    config = night.config.model
    if not isinstance(config, ContentELSAConfig):
        return None
    content = _content(night, config, item_universe(night, matrices))
    n_items = matrices.n_items
    if content is None or not content.rows[:n_items].any():
        raise ConfigError(
            f"a model of kind {config.kind} must have content of the log's items, got none: give "
            f"items.files ({night.config.items.files}) titles, categories or texts, name columns "
            "with numbers in model.numbers, or a Parquet file of vectors in model.embeddings"
        )
    known = int(content.rows[:n_items].any(axis=1).sum())
    logger.info("content: %d of %d items known", known, n_items)
    return content._replace(rows=content.rows[:n_items])


def file_content(
    items: Path | None, config: ModelConfig, item_ids: pl.Series, *, seed: int
) -> ItemContent | None:
    """Return the content of the items of a fixed split; None if the model needs none.

    Args:
        items: Parquet file with item_id and title, category, text, or columns of numbers.
        config: the model.
        item_ids: of the columns of the matrix.
        seed: of the decomposition of texts.

    Raises:
        ConfigError: the file is missing or nothing in it tells the items apart.
        ContractViolationError: it is not as it must be.
    """
    if not isinstance(config, ContentELSAConfig):
        return None
    if items is None and not config.embeddings:
        raise ConfigError(
            f"a model of kind {config.kind} needs content of items: give --items items.parquet "
            "with item_id and title, category or text, or name vectors in model.embeddings"
        )
    if items is not None and not items.is_file():
        raise ConfigError(f"--items must be a Parquet file, got {items}, which is not there")
    files = "" if items is None else glob.escape(str(items.resolve()))
    settings = NightlyConfig(
        lake=str(Path.cwd()), items=ItemsConfig(files=files), model=config, seed=seed
    )
    content = _content(Night(config=settings, run_date=date.min), config, item_ids)
    if content is None or not content.rows.any():
        raise ConfigError(
            f"a model of kind {config.kind} must have content of the items of train, got none in "
            f"{items or config.embeddings}: the columns are item_id, title, category and text, "
            "and those of model.numbers"
        )
    return content


def content_inputs(night: Night) -> dict[str, object]:
    """Return what a fit depends on besides rows and settings: digests of its content's files."""
    config = night.config.model
    if not isinstance(config, ContentELSAConfig):
        return {}
    return {"catalogue": catalogue_fingerprint(night), "vectors": vectors_fingerprint(night)}


def with_content(night: Night, champion: Contender, item_ids: pl.Series) -> Contender:
    """Return a champion that learnt with content, over what tonight's catalogue says.

    Items that nobody had in its training get the content that they have now, so that those which
    are newer than the champion are listed, or read from histories, too.

    Args:
        night: whose catalogue.
        champion: over tonight's items.
        item_ids: of all items.
    """
    model = champion.model
    if not isinstance(model, ContentELSA) or model.space is None:
        return champion
    new = np.flatnonzero(~champion.known)
    catalogue = _catalogue(night, item_ids.gather(new), model.space.number_names)
    n_given = 0 if catalogue.vectors is None else catalogue.vectors.shape[1]
    if n_given != model.space.n_given:
        logger.warning(
            "content: the champion learnt with other vectors (model.embeddings), so only items "
            "that its training knew are listed"
        )
        return champion
    model = model.with_content(new, catalogue.rows(model.space))
    logger.info("content: %d items listed that nobody has met", int(model.listable[new].sum()))
    return champion.of(model)


def _content(night: Night, config: ContentELSAConfig, item_ids: pl.Series) -> ItemContent | None:
    catalogue = _catalogue(night, item_ids, config.numbers)
    told = catalogue.told
    if not len(told):
        return None
    fitted = told[:: -(-len(told) // N_FITTED)]
    space = fit_content_space(
        catalogue.of(fitted), number_names=config.numbers, n_dimensions=config.n_dimensions,
        seed=night.config.seed,
    )  # fmt: skip
    return None if space is None else ItemContent(catalogue.rows(space), space)


def _catalogue(night: Night, item_ids: pl.Series, names: tuple[str, ...]) -> _Catalogue:
    found = _placed(read_catalogue(night, only=TEXTS), item_ids)
    numbers = None
    if names:
        columns = _placed(read_numbers(night, names), item_ids)
        numbers = columns.select(pl.col(names).fill_null(np.nan)).to_numpy()
    return _Catalogue(found, numbers, given_vectors(night, item_ids))


def _placed(rows: pl.DataFrame, item_ids: pl.Series) -> pl.DataFrame:
    """Return the rows of these items, in their order; nulls where there is none."""
    if rows.height and id_type(rows["item_id"]) != id_type(item_ids):
        raise ConfigError(
            f"item_id of the catalogue must be {id_type(item_ids)} as in the interactions, got "
            f"{id_type(rows['item_id'])}: convert the column"
        )
    listed = rows.with_columns(pl.col("item_id").cast(item_ids.dtype))
    ids = pl.DataFrame({"item_id": item_ids})
    return ids.join(listed, on="item_id", how="left", maintain_order="left").drop("item_id")
