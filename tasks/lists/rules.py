"""Rules of a surface as arrays: what may be listed to whom, how much of it, at what score."""

import logging
from typing import NamedTuple, get_args

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.errors import ConfigError
from data_contracts.surface import SurfaceConfig
from tasks.catalogue import read_catalogue
from tasks.history.pair import csr_of_pairs, united
from tasks.history.seen import prepare_seen, seen_fingerprint, seen_items
from tasks.lake import Night
from tasks.lists.item_list import Kind, item_list_files
from tasks.lists.listed import Listed, load_list
from tasks.lists.segments import Segments, read_segments, segment_files
from tasks.vocabulary.retirement import retired_mask

logger = logging.getLogger(__name__)


class SurfaceRules(NamedTuple):
    """What may stand in the lists of a surface.

    Group 0 holds the users of no segment, group g those of segments[g - 1]. Where an allow
    list has rows for everybody or a segment and rows for single users, as many groups follow
    again, for the users with rows of their own; segment leads from a group to the first kind.
    """

    name: str
    surface: SurfaceConfig
    segments: tuple[str, ...]
    segment: np.ndarray  # (n_groups,) int32: 0 for no segment, else place in segments and 1
    eligible: np.ndarray  # (n_groups, n_items) bool
    category: np.ndarray  # (n_items,) int32, -1 for none
    categories: tuple[str, ...]
    caps: np.ndarray  # (n_categories,) int32; n_top where there is none
    boost: np.ndarray | None  # (n_items,) float32
    of_user: Segments
    allow: Listed
    block: Listed
    items: pl.DataFrame  # item_id, item


class UserRules(NamedTuple):
    """What may be listed to the users of one shard."""

    group: np.ndarray  # (n_users,) int32
    hidden: sp.csr_array  # (n_users, n_items): never these
    allowed: sp.csr_array | None  # (n_users, n_items): a row with entries may hold only these


def load_rules(night: Night, name: str, item_ids: pl.Series) -> SurfaceRules:
    """Return the rules of a surface over tonight's items.

    Args:
        night: its configuration, catalogue, segments and lists.
        name: of the surface.
        item_ids: of tonight's items, each once.

    Raises:
        ConfigError: there is no such surface.
        ContractViolationError: a file is broken, see read_catalogue, read_segments and
            read_item_list, or a list has no file.
    """
    if name not in night.config.surfaces:
        raise ConfigError(f"surface must be one of {sorted(night.config.surfaces)}, got {name}")
    surface = night.config.surfaces[name]
    prepare_seen(night, surface)
    items = pl.DataFrame({"item_id": item_ids}).with_row_index("item")
    items = items.select("item_id", pl.col("item").cast(pl.Int32))
    segments = read_segments(night)
    allow = load_list(night, name, "allow", items, segments.names)
    block = load_list(night, name, "block", items, segments.names)
    known = _of_catalogue(night, items)
    categories = tuple(known["category"].drop_nulls().unique().sort())
    _warn_of_unknown(name, surface, categories)
    segment, eligible = _eligible(_listable(known, surface), allow, block, len(segments.names))
    return SurfaceRules(
        name=name, surface=surface, segments=segments.names, segment=segment, eligible=eligible,
        category=_places(known["category"], categories), categories=categories,
        caps=_caps(surface, categories), boost=_boost(known["category"], surface),
        of_user=segments, allow=allow, block=block, items=items,
    )  # fmt: skip


def rules_of_users(night: Night, rules: SurfaceRules, shard: int, users: pl.Series) -> UserRules:
    """Return what may be listed to users of one shard.

    Args:
        night: whose histories.
        rules: of the surface.
        shard: in which the users are.
        users: their ids, each once.
    """
    group, n_items = rules.of_user.group_of(users), rules.items.height
    hidden = seen_items(night, rules.surface, shard=shard, users=users, items=rules.items)
    barred = rules.block.own_rows(users).drop_nulls()
    own = rules.allow.own_rows(users)
    if own.is_empty() or not n_items:
        return UserRules(group, _also_hidden(hidden, barred), None)
    restricted = own["user"].unique().sort().to_numpy()
    if rules.allow.is_shared:
        group[restricted] += len(rules.segments) + 1
    pairs = pl.concat([own.drop_nulls(), _shared_rows(rules, group, restricted)])
    # a row without entries would not be restricted: one whose items nobody knows gets an
    # entry that is hidden, and so holds nothing
    left = np.setdiff1d(restricted, pairs["user"].unique().to_numpy())
    nothing = _rows(left, np.zeros(len(left), dtype=np.int32))
    pairs = pl.concat([pairs, nothing])
    allowed = csr_of_pairs(pairs["user"], pairs["item"], shape=(len(users), n_items))
    return UserRules(group, _also_hidden(hidden, pl.concat([barred, nothing])), allowed)


def rules_fingerprint(night: Night) -> dict[str, str]:
    """Return the digest of all that rules depend on besides configuration and catalogue.

    These are the files of lists and segments, and last events where a policy asks for them.
    """
    found = segment_files(night).fingerprint()
    for name, surface in night.config.surfaces.items():
        for kind in get_args(Kind):
            files = item_list_files(night, name, kind)
            found |= files.fingerprint() if files else {}
        found |= seen_fingerprint(night, surface)
    return found


def _of_catalogue(night: Night, items: pl.DataFrame) -> pl.DataFrame:
    """Return category and available of every item; what is retired is not available."""
    known = read_catalogue(night, only=["category", "available"])
    known = known.with_columns(pl.col("item_id").cast(items.schema["item_id"]))
    found = items.join(known, on="item_id", how="left", maintain_order="left")
    gone = pl.Series(retired_mask(night, items.height))
    return found.select("category", pl.col("available").fill_null(value=True) & ~gone)


def _listable(known: pl.DataFrame, surface: SurfaceConfig) -> np.ndarray:
    """Return which items may be listed if no list says otherwise."""
    may = pl.col("available")
    if surface.categories:
        may &= pl.col("category").is_in(surface.categories).fill_null(value=False)
    kept_out = [category for category, cap in surface.category_caps.items() if cap == 0]
    may &= ~pl.col("category").is_in(kept_out).fill_null(value=False)
    return known.select(may).to_series().to_numpy()


def _eligible(
    may: np.ndarray, allow: Listed, block: Listed, n_segments: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return segment and eligible of every group, see SurfaceRules."""
    n_kinds, n_items = n_segments + 1, len(may)
    doubled = allow.is_shared and not allow.own.is_empty()
    eligible = np.tile(may, (n_kinds * (1 + doubled), 1))
    for group in range(n_kinds):
        barred, allowed = block.shared(group, n_items), allow.shared(group, n_items)
        if barred is not None:
            eligible[group::n_kinds] &= ~barred
        if allowed is not None:
            eligible[group] &= allowed
    return np.arange(len(eligible), dtype=np.int32) % np.int32(n_kinds), eligible


def _shared_rows(rules: SurfaceRules, group: np.ndarray, users: np.ndarray) -> pl.DataFrame:
    """Return what users with rows of their own may be shown besides: rows of everybody, segment."""
    parts = [_rows(np.zeros(0, np.int64), np.zeros(0, np.int32))]
    for each in np.unique(group[users]):
        shared = rules.allow.shared(int(rules.segment[each]), rules.items.height)
        if shared is None:
            continue
        items = np.flatnonzero(shared & rules.eligible[each])
        members = users[group[users] == each]
        parts.append(_rows(np.repeat(members, len(items)), np.tile(items, len(members))))
    return pl.concat(parts)


def _rows(user: np.ndarray, item: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"user": user.astype(np.uint32), "item": item.astype(np.int32)})


def _also_hidden(hidden: sp.csr_array, rows: pl.DataFrame) -> sp.csr_array:
    return united(hidden, csr_of_pairs(rows["user"], rows["item"], shape=hidden.shape))


def _places(category: pl.Series, categories: tuple[str, ...]) -> np.ndarray:
    places = pl.int_range(len(categories), dtype=pl.Int32, eager=True)
    names = pl.Series(categories, dtype=pl.String)
    return category.replace_strict(names, places, default=-1, return_dtype=pl.Int32).to_numpy()


def _caps(surface: SurfaceConfig, categories: tuple[str, ...]) -> np.ndarray:
    usual = surface.max_per_category or surface.n_top
    caps = [surface.category_caps.get(category, usual) for category in categories]
    return np.minimum(np.array(caps, dtype=np.int64), surface.n_top).astype(np.int32)


def _boost(category: pl.Series, surface: SurfaceConfig) -> np.ndarray | None:
    if not surface.boosts:
        return None
    factor = category.replace_strict(surface.boosts, default=1.0, return_dtype=pl.Float32)
    return factor.to_numpy()


def _warn_of_unknown(name: str, surface: SurfaceConfig, categories: tuple[str, ...]) -> None:
    named = {*surface.categories, *surface.category_caps, *surface.boosts}
    if unknown := sorted(named - set(categories)):
        logger.warning("surfaces.%s: no item of the catalogue is of %s", name, ", ".join(unknown))
