"""Codes of ids: small whole numbers that stand for users and items in ingested events.

A table of codes only ever grows, and a code never changes its meaning; which number an id gets
depends on the night that met it first, so nothing that is published may depend on codes. Users
have a table per user shard, items one for the lake.
"""

from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.errors import HoarfrostError
from data_contracts.id_type import IdType
from tasks.files import make_folder, move_file, staged_path
from tasks.lake import shard_name
from tasks.source.log_reader import ID_DTYPES


class IdCodes:
    """The ids of one table, in order of their codes; None in place of one that was forgotten."""

    def __init__(self, path: Path, name: str, id_type: IdType) -> None:
        """Read the table, if there is one.

        Args:
            path: of the table.
            name: of its only column.
            id_type: of the ids.

        Raises:
            HoarfrostError: the table holds ids of another type.
        """
        self.path = path
        empty = pl.Series(name, dtype=ID_DTYPES[id_type])
        self.ids = pl.read_parquet(path)[name] if path.exists() else empty
        if self.ids.dtype != empty.dtype:
            raise HoarfrostError(f"{path} must hold {id_type} ids, got {self.ids.dtype}")
        self._n_saved = len(self.ids)

    def codes(self, ids: pl.Series) -> np.ndarray:
        """Return the code of every id, shape (n,) uint32; new ids get codes in sorted order."""
        codes = self._known(ids)
        missing = codes.is_null()
        if missing.any():
            new = ids.filter(missing).unique().sort()
            self.ids = pl.concat([self.ids, new.alias(self.ids.name)])
            codes = self._known(ids)
        return codes.to_numpy()

    def order(self) -> np.ndarray:
        """Return the place of every code in the order of ids, shape (n_codes,) uint32."""
        by_id = self.ids.arg_sort().to_numpy()
        places = np.empty(len(by_id), np.uint32)
        places[by_id] = np.arange(len(by_id), dtype=np.uint32)
        return places

    def save(self) -> None:
        """Write the table to its place, if it has grown."""
        if len(self.ids) == self._n_saved:
            return
        make_folder(self.path.parent)
        staged = staged_path(self.path)
        self.ids.to_frame().write_parquet(staged, compression="lz4")
        move_file(staged, self.path)
        self._n_saved = len(self.ids)

    def _known(self, ids: pl.Series) -> pl.Series:
        table = pl.DataFrame({"id": self.ids}).with_row_index("code")
        found = pl.DataFrame({"id": ids}).join(table, on="id", how="left", maintain_order="left")
        return found["code"]


def user_codes(lake: Path, shard: int, id_type: IdType) -> IdCodes:
    """Return the codes of one user shard."""
    return IdCodes(codes_folder(lake) / f"{shard_name(shard)}.parquet", "user_id", id_type)


def item_codes(lake: Path, id_type: IdType) -> IdCodes:
    """Return the codes of the lake's items."""
    return IdCodes(item_codes_path(lake), "item_id", id_type)


def item_codes_path(lake: Path) -> Path:
    """Where the codes of the lake's items lie."""
    return codes_folder(lake) / "items.parquet"


def codes_folder(lake: Path) -> Path:
    """Where the tables of codes lie."""
    return lake / "state" / "codes"
