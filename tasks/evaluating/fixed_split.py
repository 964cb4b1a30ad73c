"""Read the files of a fixed split: what was had, and what is asked."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.errors import ConfigError, ContractViolationError, TooLittleDataError
from data_contracts.fixed_split import FOR_ROWS, PAIR, RATING, TIMESTAMP, fixed_split_schema
from data_contracts.model_config import Consumed
from models.event.row_value import order_in_rows
from tasks.id_type import id_type
from tasks.plain_error import told
from tasks.tables.table_file import check_table

logger = logging.getLogger(__name__)
_LEARNT = {RATING: "ratings", TIMESTAMP: "the order of events"}


class TrainRows(NamedTuple):
    """The rows to learn from, or those that judged users who are not among them had before."""

    path: Path
    user_ids: pl.Series  # in the order of rows
    item_ids: pl.Series  # in the order of columns
    X: sp.csr_array  # (n_users, n_items): ones, ratings, or places in a user's order
    n_duplicates: int
    consumes: Consumed = "weights"  # what X holds
    n_unknown: int = 0  # pairs of histories that are passed over: training has not their items


class AskedRatings(NamedTuple):
    """The ratings that judged users gave in the test file."""

    row: np.ndarray  # (n_ratings,) places among the judged users
    item: np.ndarray  # (n_ratings,) columns of X, -1 of items that training has not
    rating: np.ndarray  # (n_ratings,) float64


class AskedRows(NamedTuple):
    """What is asked of the users that were seen in training, or that have a history."""

    user: np.ndarray  # (n_judged,) rows of X
    target: sp.csr_array  # (n_judged, n_items), of the items of training
    n_targets: np.ndarray  # (n_judged,) items asked in all
    n_left_out: int  # users without a row
    n_unknown: int  # asked items of judged users that training has not
    n_seen: int  # asked items that the same user had before
    n_duplicates: int
    ratings: AskedRatings | None = None  # for a model of ratings


def consumable(path: Path) -> frozenset[Consumed]:
    """Return what kinds of models may consume to learn from a file, by its columns."""
    try:
        names = set(pl.read_parquet_schema(path))
    except (pl.exceptions.PolarsError, OSError):  # whoever reads it says what is wrong
        names = set()
    return frozenset(each for each, columns in FOR_ROWS.items() if names.issuperset(columns))


def read_train(path: Path, consumes: Consumed = "weights") -> TrainRows:
    """Return the matrix of a file with the columns user_id and item_id.

    The order of users and items follows from their ids alone, so that of the rows does not matter.
    Of a pair that comes several times the last row by timestamp counts, and of those the largest
    rating.

    Args:
        path: Parquet file; for ratings with the column rating, for an order with timestamp.
        consumes: what the matrix holds.

    Raises:
        ConfigError: there is no such file.
        ContractViolationError: it is no Parquet file, or its columns do not fit.
        TooLittleDataError: it is empty.
    """
    pairs, n_duplicates = _read(path, consumes)
    users, items = _ordered(pairs["user_id"]), _ordered(pairs["item_id"])
    X = _valued(pairs, users, items, consumes)
    logger.info("%s: %d users, %d items, %d pairs", path, *X.shape, X.nnz)
    return TrainRows(path, users, items, X, n_duplicates, consumes)


def read_histories(path: Path, train: TrainRows) -> TrainRows:
    """Return what users who are not in training had before, over the items of training.

    Their items that training has not are passed over and counted; who is left without any has no
    row.

    Args:
        path: Parquet file with the columns of the training file.
        train: the rows of training.

    Raises:
        ConfigError: there is no such file.
        ContractViolationError: it is no Parquet file, its columns do not fit those of training, or
            one of its users is in training.
        TooLittleDataError: it is empty, or none of its items is in training.
    """
    pairs, n_duplicates = _read(path, train.consumes)
    _check_types(path, pairs, train)
    _refuse_trained(path, pairs, train)
    known = pairs.filter(pl.col("item_id").is_in(train.item_ids.implode()))
    if not known.height:
        raise TooLittleDataError(
            f"no item of {path} has a row in {train.path}: the two files must share items"
        )
    users = _ordered(known["user_id"])
    X = _valued(known, users, train.item_ids, train.consumes)
    n_unknown = pairs.height - known.height
    logger.info("%s: %d users, %d pairs, %d passed over", path, len(users), X.nnz, n_unknown)
    return TrainRows(path, users, train.item_ids, X, n_duplicates, train.consumes, n_unknown)


def _refuse_trained(path: Path, pairs: pl.DataFrame, train: TrainRows) -> None:
    trained = pl.col("user_id").is_in(train.user_ids.implode())
    n_users = pairs.filter(trained)["user_id"].n_unique()
    if not n_users:
        return
    ids = _ids(path, pl.read_parquet(path, columns=["user_id"], glob=False)["user_id"])
    first = ids.to_frame().select(trained.arg_max()).item()  # ids of people stay out of messages
    raise ContractViolationError(
        f"users of {path} must not be in {train.path}, got {n_users} who are, the first in row "
        f"{first} (counted from 0): drop their rows from one of the files, or leave the histories "
        "out to judge users of train"
    )


def read_test(path: Path, train: TrainRows) -> AskedRows:
    """Return what a file asks of the users of training; for a model of ratings, also theirs.

    Args:
        path: Parquet file with the columns of the training file.
        train: the rows of training, or the histories of users who are not in it.

    Raises:
        ConfigError: there is no such file.
        ContractViolationError: it is no Parquet file, or its columns do not fit those of training.
        TooLittleDataError: it is empty, or none of its users has a row.
    """
    consumes: Consumed = "ratings" if train.consumes == "ratings" else "weights"
    pairs, n_duplicates = _read(path, consumes)
    _check_types(path, pairs, train)
    known = pairs.filter(pl.col("user_id").is_in(train.user_ids.implode()))
    users = _ordered(known["user_id"])
    if not len(users):
        raise TooLittleDataError(
            f"no user of {path} has a row in {train.path}: the two files must share users"
        )
    answerable = known.filter(pl.col("item_id").is_in(train.item_ids.implode()))
    target = _matrix(answerable, users, train.item_ids)
    user = _index(users, train.user_ids)
    n_targets = np.bincount(_index(known["user_id"], users), minlength=len(users))
    n_left_out = pairs["user_id"].n_unique() - len(users)
    logger.info("%s: %d users judged, %d left out", path, len(users), n_left_out)
    return AskedRows(
        user, target, n_targets, n_left_out,
        n_unknown=known.height - answerable.height,
        n_seen=_n_common(target, train.X[user]),
        n_duplicates=n_duplicates,
        ratings=_asked_ratings(known, users, train.item_ids) if consumes == "ratings" else None,
    )  # fmt: skip


def _n_common(target: sp.csr_array, X: sp.csr_array) -> int:
    """Count the entries of both, whatever their values are: a rating may be 0."""
    had = sp.csr_array((np.ones(X.nnz, np.float32), X.indices, X.indptr), shape=X.shape)
    return int(target.multiply(had).nnz)


def _asked_ratings(known: pl.DataFrame, users: pl.Series, items: pl.Series) -> AskedRatings:
    row, item = _index(known["user_id"], users), _index_or_none(known["item_id"], items)
    order = np.lexsort((item, row))
    return AskedRatings(row[order], item[order], known[RATING].to_numpy()[order].astype(np.float64))


def _read(path: Path, consumes: Consumed) -> tuple[pl.DataFrame, int]:
    more = FOR_ROWS[consumes]
    if not path.is_file():
        raise ConfigError(f"no file at {path}: name a Parquet file with columns user_id, item_id")
    try:
        lazy = pl.scan_parquet(path, glob=False)
        names = lazy.collect_schema().names()
        missing = [name for name in PAIR if name not in names]
        if missing:
            raise ContractViolationError(
                f"{path} must have a column {missing[0]}, it has {', '.join(names[:20])}: "
                "rename the column that holds these ids"
            )
        missing = [name for name in more if name not in names]
        if missing:
            raise ConfigError(
                f"{path} must have a column {missing[0]} for a model that learns from "
                f"{_LEARNT[missing[0]]}, it has {', '.join(names[:20])}: add it, or choose a model "
                "of another kind"
            )
        later = [TIMESTAMP] if RATING in more and TIMESTAMP in names else []
        raw = lazy.select(*PAIR, *more, *later).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ContractViolationError(
            f"{path} must be a whole Parquet file: {told(error).splitlines()[0]}; write it again"
        ) from error
    if not raw.height:
        raise TooLittleDataError(f"{path} is empty: it must hold at least one row")
    columns = [_ids(path, raw[name]) for name in PAIR]
    columns += [_number(path, raw[name]) for name in (*more, *later)]
    pairs = pl.DataFrame(columns)
    user_type, item_type = (id_type(pairs[name]) for name in PAIR)
    check_table(fixed_split_schema(str(path), user_type, item_type, (*more, *later)), pairs)
    last = pairs.sort([*later, *more]) if more else pairs
    unique = last.unique(PAIR, keep="last" if more else "any", maintain_order=bool(more))
    return unique, pairs.height - unique.height


def _number(path: Path, column: pl.Series) -> pl.Series:
    """Return ratings as float32, moments as int64."""
    dtype = column.dtype
    if column.null_count():
        raise ContractViolationError(
            f"{path} must have a {column.name} in every row, got {column.null_count()} rows "
            "without one: drop these rows"
        )
    if column.name == RATING and dtype.is_numeric():
        return column.cast(pl.Float32)
    if column.name == TIMESTAMP and isinstance(dtype, pl.Datetime):
        return column.dt.cast_time_unit("us").to_physical()
    if column.name == TIMESTAMP and (dtype.is_integer() or dtype == pl.Date):
        return column.to_physical().cast(pl.Int64)
    asked = "numbers" if column.name == RATING else "Parquet timestamps or whole numbers"
    raise ContractViolationError(
        f"{column.name} of {path} must be {asked}, is {dtype}: cast the column"
    )


def _ids(path: Path, column: pl.Series) -> pl.Series:
    if column.null_count():
        raise ContractViolationError(
            f"{path} must have an id in every row, got {column.null_count()} rows without "
            f"{column.name}: drop these rows"
        )
    if isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if not column.dtype.is_integer():
        raise ContractViolationError(
            f"{column.name} of {path} must be string or integer, is {column.dtype}: cast it"
        )
    try:
        return column.cast(pl.Int64)
    except pl.exceptions.PolarsError as error:
        raise ContractViolationError(
            f"{column.name} of {path} must fit 64 bits with a sign: cast it to string"
        ) from error


def _check_types(path: Path, pairs: pl.DataFrame, train: TrainRows) -> None:
    for name, ids in zip(PAIR, (train.user_ids, train.item_ids), strict=True):
        mine, theirs = id_type(pairs[name]), id_type(ids)
        if mine != theirs:
            raise ContractViolationError(
                f"{name} must have one type in both files, is {theirs} in {train.path} and {mine} "
                f"in {path}: cast one of them"
            )


def _ordered(ids: pl.Series) -> pl.Series:
    unique = ids.unique().rename("id").to_frame()
    if id_type(ids) == "integer":
        return unique["id"].sort()
    # shorter first: numbers written as text come in the order of numbers, and give their figures
    return unique.sort(pl.col("id").str.len_bytes(), "id")["id"]


def _index_or_none(ids: pl.Series, known: pl.Series) -> np.ndarray:
    """Return the place of every id among those known, -1 where it is not there."""
    return _places(ids, known).fill_null(-1).to_numpy()


def _index(ids: pl.Series, known: pl.Series) -> np.ndarray:
    return _places(ids, known).to_numpy()


def _places(ids: pl.Series, known: pl.Series) -> pl.Series:
    places = pl.DataFrame({"id": known, "place": np.arange(len(known))})
    found = ids.rename("id").to_frame().join(places, on="id", how="left", maintain_order="left")
    return found["place"]


def _matrix(
    pairs: pl.DataFrame, users: pl.Series, items: pl.Series, values: np.ndarray | None = None
) -> sp.csr_array:
    places = (_index(pairs["user_id"], users), _index(pairs["item_id"], items))
    ones = np.ones(pairs.height, dtype=np.float32)
    data = ones if values is None else values
    X = sp.csr_array(sp.coo_array((data, places), shape=(len(users), len(items))))
    X.sort_indices()
    return X


def _valued(
    pairs: pl.DataFrame, users: pl.Series, items: pl.Series, consumes: Consumed
) -> sp.csr_array:
    if consumes == "weights":
        return _matrix(pairs, users, items)
    if consumes == "ratings":
        return _matrix(pairs, users, items, pairs[RATING].to_numpy())
    moments = _matrix(pairs, users, items, pairs[TIMESTAMP].to_numpy())  # int64: exact
    place = order_in_rows(moments.indptr, moments.data)
    return sp.csr_array((place, moments.indices, moments.indptr), shape=moments.shape)
