"""An allow or block list over tonight's items: rows for everybody, for segments, for users."""

import logging
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.id_type import id_type
from tasks.lake import Night
from tasks.lists.item_list import Kind, read_item_list

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listed:
    """The places of a list's items; rows of items that nobody knows count as rows."""

    everybody: np.ndarray | None  # int32; None: no row is for everybody
    of_group: dict[int, np.ndarray]  # group -> int32, of segments with rows of their own
    own: pl.DataFrame  # user_id, item (int32, null for one that nobody knows), each pair once

    def shared(self, group: int, n_items: int) -> np.ndarray | None:
        """Return which items stand in rows for everybody or the group, None without such rows."""
        rows = [self.everybody, self.of_group.get(group)]
        given = [items for items in rows if items is not None]
        if not given:
            return None
        mask = np.zeros(n_items, dtype=bool)
        for items in given:
            mask[items] = True
        return mask

    @property
    def is_shared(self) -> bool:
        """Tell whether some rows are for everybody or a segment."""
        return self.everybody is not None or bool(self.of_group)

    def own_rows(self, users: pl.Series) -> pl.DataFrame:
        """Return user (the place among these users) and item of the rows for single users."""
        asked = pl.DataFrame({"user_id": users}).with_row_index("user")
        if self.own.is_empty():
            return pl.DataFrame(schema={"user": pl.UInt32, "item": pl.Int32})
        return asked.join(self.own, on="user_id").select("user", "item")


def load_list(
    night: Night, surface: str, kind: Kind, items: pl.DataFrame, segments: tuple[str, ...]
) -> Listed:
    """Return a list of a surface, empty where it has none; what is unknown is counted in the log.

    Args:
        night: says where the files lie.
        surface: whose list.
        kind: allow or block.
        items: item_id and item, the place of each.
        segments: names of the segments, sorted.

    Raises:
        ContractViolationError: see read_item_list.
    """
    rows = read_item_list(night, surface, kind, id_type(items["item_id"]))
    rows = rows.join(items, on="item_id", how="left").select("user_id", "segment", "item")
    groups = pl.DataFrame(
        {"segment": segments, "group": range(1, len(segments) + 1)},
        schema={"segment": pl.String, "group": pl.Int32},
    )
    rows = rows.join(groups, on="segment", how="left")
    for_user, for_segment = (rows[name].is_not_null() for name in ("user_id", "segment"))
    if rows.height:
        _tell(rows, f"surfaces.{surface}.{kind}")
    by_group = rows.filter(for_segment & pl.col("group").is_not_null()).partition_by(
        "group", as_dict=True
    )
    common = rows.filter(~for_user & ~for_segment)
    return Listed(
        everybody=_places(common) if common.height else None,
        of_group={int(group): _places(part) for (group,), part in by_group.items()},
        own=rows.filter(for_user).select("user_id", "item").unique(),
    )


def _places(rows: pl.DataFrame) -> np.ndarray:
    return rows["item"].drop_nulls().unique().sort().to_numpy()


def _tell(rows: pl.DataFrame, what: str) -> None:
    stray = rows.filter(pl.col("segment").is_not_null() & pl.col("group").is_null())
    level = logging.WARNING if stray.height else logging.INFO
    logger.log(
        level, "%s: %d rows, %d of items that nobody knows, %d of segments that no user has",
        what, rows.height, rows["item"].null_count(), stray.height,
    )  # fmt: skip
