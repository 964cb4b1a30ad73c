"""Write the table rating_predictions: how the champion says that given users rate given items."""

from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.manifests import MatrixManifest
from data_contracts.rating_predictions import COLD_REASONS, rating_predictions_schema
from models.event.row_value import with_values
from models.rating.rating_model import RatingModel
from tasks.history.matrix_shard import load_shard
from tasks.history.row_values import RowValues
from tasks.id_type import id_type
from tasks.judging.contender import Contender
from tasks.lake import Night
from tasks.snapshot.stamp import Stamp
from tasks.tables.rating_pairs import read_pairs
from tasks.tables.table_file import TableWriter

RATINGS = "rating_predictions/part-000.parquet"
_BLOCK = 65_536  # pairs predicted at once


def predicts_ratings(champion: Contender) -> bool:
    """Tell whether a champion can fill the table; one that learnt from weights cannot."""
    return champion.consumes == "ratings" and isinstance(champion.model, RatingModel)


def write_rating_predictions(
    path: Path,
    night: Night,
    matrices: MatrixManifest,
    champion: Contender,
    *,
    item_ids: pl.Series,
    stamp: Stamp,
) -> int:
    """Write what the model predicts for the pairs that are asked, sorted; return the rows.

    A rating that the user has given to the item is not told to the model.

    Raises:
        TypeError: the model predicts no ratings.
    """
    model = champion.model
    if not isinstance(model, RatingModel):
        raise TypeError(f"the champion must predict ratings, got {type(model).__name__}")
    pairs = read_pairs(night).with_row_index("pair")
    items = pl.DataFrame({"item_id": item_ids, "item": np.arange(len(item_ids))})
    known = pairs.join(items.cast({"item_id": pairs["item_id"].dtype}), on="item_id", how="left")
    item = known.sort("pair")["item"].fill_null(-1).to_numpy().astype(np.int64)
    rating = np.full(pairs.height, model.scale.fallback, np.float32)
    has_row = np.zeros(pairs.height, bool)
    has_item = (item >= 0) & (champion.counts[item] > 0)
    rows = RowValues(night, matrices, "ratings")
    for shard in range(matrices.n_shards):
        arrays = load_shard(night.step("matrices"), shard)
        users = pl.DataFrame({"user_id": arrays.users, "row": np.arange(len(arrays.users))})
        found = pairs.join(users, on="user_id").sort("pair")
        if found.height:
            R = rows.of(shard, "full", arrays)
            wide = sp.csr_array((R.data, R.indices, R.indptr), shape=(R.shape[0], len(item_ids)))
            _predict(model, wide, found, item, has_item, rating, has_row)
    reason = np.select([has_row & has_item, has_item, has_row], [-1, 0, 1], 2)
    schema = rating_predictions_schema(id_type(pairs["user_id"]), id_type(pairs["item_id"]))
    with TableWriter(path, schema) as writer:
        words = pl.Series(COLD_REASONS, dtype=pl.String)
        codes = pl.Series(reason.astype(np.int64)).replace(-1, None)
        columns = pl.Series("rating", rating), words.gather(codes).alias("reason")
        writer.write(pairs.drop("pair").with_columns(*columns, *stamp.columns()))
        return writer.rows


def _predict(
    model: RatingModel,
    R: sp.csr_array,
    found: pl.DataFrame,
    item: np.ndarray,
    has_item: np.ndarray,
    rating: np.ndarray,
    has_row: np.ndarray,
) -> None:
    """Fill in the ratings of one shard's pairs, and which of their users have other ratings."""
    pair, row = (found[name].to_numpy().astype(np.int64) for name in ("pair", "row"))
    for start in range(0, len(pair), _BLOCK):
        some = slice(start, start + _BLOCK)
        asked, at = np.unique(row[some], return_inverse=True)
        X, place = _without_the_asked(R[asked], at, item[pair[some]])
        has_row[pair[some]] = np.diff(X.indptr)[place] > 0
        told = has_row[pair[some]] & has_item[pair[some]]
        which = pair[some][told]
        rating[which] = model.predict_ratings(X, place[told], item[which])


def _without_the_asked(
    R: sp.csr_array, row: np.ndarray, item: np.ndarray
) -> tuple[sp.csr_array, np.ndarray]:
    """Return rows, and which is whose pair's: one of its own where the pair is rated."""
    keys = np.repeat(np.arange(R.shape[0]), np.diff(R.indptr)) * R.shape[1] + R.indices
    rated = np.isin(row * R.shape[1] + item, keys) & (item >= 0)
    own = R[row[rated]]
    kept = own.indices != np.repeat(item[rated], np.diff(own.indptr))
    place = row.copy()
    place[rated] = R.shape[0] + np.arange(int(rated.sum()))
    return sp.csr_array(sp.vstack([R, with_values(own, own.data, kept)], format="csr")), place
