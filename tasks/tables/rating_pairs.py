"""Read the pairs of users and items whose ratings are asked."""

from pathlib import Path

import polars as pl

from data_contracts.errors import ConfigError, ContractViolationError
from data_contracts.rating_predictions import rating_pairs_schema
from tasks.forgetting.forgotten import forgotten
from tasks.id_type import id_type
from tasks.lake import Night
from tasks.source.given_file import (
    GivenFiles,
    as_ids,
    log_id_types,
    refuse_missing,
    refuse_other_type,
)
from tasks.tables.table_file import check_table

PAIR = ("user_id", "item_id")


def pair_files(night: Night) -> GivenFiles:
    """Return where the pairs lie."""
    pattern = night.config.rating_predictions.pairs
    setting = "rating_predictions.pairs to a file that has it"
    return GivenFiles(night, pattern, what="rating_predictions.pairs", setting=setting)


def pairs_fingerprint(night: Night) -> dict[str, str]:
    """Return the digest of every file of pairs, nothing where none are asked."""
    return pair_files(night).fingerprint() if night.config.rating_predictions.pairs else {}


def read_pairs(night: Night) -> pl.DataFrame:
    """Return user_id and item_id, in order of both, without people who are forgotten.

    Raises:
        ConfigError: there is no such file.
        ContractViolationError: a file cannot be read, lacks a column or has one of a wrong type,
            an id is missing, or a pair is there twice.
    """
    given = pair_files(night)
    parts = [_read_file(given, path) for path in given.paths()]
    if not parts:
        raise ConfigError(
            f"rating_predictions.pairs must name a Parquet file with user_id and item_id, got no "
            f"file at {given.pattern}: write it, or leave the pairs out"
        )
    for column, log in zip(PAIR, log_id_types(night) or (None, None), strict=True):
        refuse_other_type([part for part in parts if part.height], column, log)
    rows = pl.concat(part for part in parts if part.height or part is parts[0])
    for column in PAIR:
        refuse_missing(rows, column)
    repeated = rows.filter(rows.select(PAIR).is_duplicated())
    if repeated.height:  # ids of people stay out of messages
        raise ContractViolationError(
            f"{repeated['_file'][0]}: every pair of user_id and item_id must be asked once, got "
            f"{repeated.height} rows whose pair comes again, the first in row "
            f"{repeated['_row'][0]}: drop the others"
        )
    pairs = rows.select(PAIR).sort(PAIR)
    check_table(rating_pairs_schema(*(id_type(pairs[name]) for name in PAIR)), pairs)
    return pairs.filter(~forgotten(night.lake).mask(pairs["user_id"]))


def _read_file(given: GivenFiles, path: Path) -> pl.DataFrame:
    names = {name: name for name in PAIR}
    frame = given.read(path, names, required=names)
    ids = (as_ids(frame[name], name, given.name(path)) for name in PAIR)
    return frame.select(*ids, "_file", "_row")
