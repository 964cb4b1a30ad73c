"""Vectors of items that people bring along, one Parquet file or several: item_id and vector."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.errors import ConfigError, ContractViolationError
from data_contracts.model_config import ContentELSAConfig
from models.content.content import unit_or_zero
from tasks.id_type import id_type
from tasks.lake import Night
from tasks.source.given_file import (
    GivenFiles,
    as_ids,
    refuse_missing,
    refuse_other_type,
    refuse_repeated,
)


def given_vectors(night: Night, item_ids: pl.Series) -> np.ndarray | None:
    """Return unit rows of items, zero where the files have none; None if no file is named.

    Args:
        night: names the files in model.embeddings.
        item_ids: the items.

    Raises:
        ConfigError: there is no such file.
        ContractViolationError: an id or a vector is not as it must be.
    """
    given = _given(night)
    if given is None:
        return None
    parts = list(_parts(given))
    refuse_other_type(parts, "item_id", id_type(item_ids))
    rows = pl.concat(part.select("item_id", "vector", "_file", "_row") for part in parts)
    refuse_missing(rows, "item_id")
    refuse_repeated(rows, "item_id", "keep one vector per item")
    V = _matrix(rows, given.setting)
    places = pl.DataFrame({"item_id": item_ids, "item": np.arange(len(item_ids))})
    found = rows.select("item_id").with_row_index("row").join(places, on="item_id")
    vectors = np.zeros((len(item_ids), V.shape[1]), dtype=np.float32)
    vectors[found["item"].to_numpy()] = unit_or_zero(V[found["row"].to_numpy()])
    return vectors


def vectors_fingerprint(night: Night) -> dict[str, str]:
    """Return the digest of every file of given vectors."""
    given = _given(night)
    return {} if given is None else given.fingerprint()


def _given(night: Night) -> GivenFiles | None:
    config = night.config.model
    if not isinstance(config, ContentELSAConfig) or not config.embeddings:
        return None
    return GivenFiles(night, config.embeddings, what="the vectors", setting="model.embeddings")


def _parts(given: GivenFiles) -> Iterator[pl.DataFrame]:
    paths: list[Path] = given.paths()
    if not paths:
        raise ConfigError(f"model.embeddings must name a Parquet file, got {given.pattern}")
    for path in paths:
        frame = given.read(path, {"item_id": "item_id", "vector": "vector"}, ("item_id", "vector"))
        dtype, file = frame["vector"].dtype, given.name(path)
        if not isinstance(dtype, pl.List | pl.Array) or not dtype.inner.is_numeric():
            raise ContractViolationError(
                f"{file}: vector must be a list of numbers in every row, got {dtype}"
            )
        vectors = frame["vector"].cast(pl.List(pl.Float32))
        yield frame.with_columns(vectors, as_ids(frame["item_id"], "item_id", file))


def _matrix(rows: pl.DataFrame, setting: str) -> np.ndarray:
    widths = rows["vector"].list.len().unique()
    if len(widths) != 1 or not widths[0]:
        raise ContractViolationError(
            f"the vectors of {setting} must all be as long, got lengths {widths.sort().to_list()}"
        )
    V = rows["vector"].cast(pl.Array(pl.Float32, widths[0])).to_numpy()
    bad = np.flatnonzero(~np.isfinite(V).all(axis=1))
    if len(bad):
        file, row = rows["_file"][int(bad[0])], rows["_row"][int(bad[0])]
        raise ContractViolationError(
            f"{file}: vector must hold finite numbers, got another in row {row} (counted from 0)"
        )
    return V
