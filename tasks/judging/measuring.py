"""Measure models on the held-out users: every metric per user, by segment, and what lists expose.

Models are measured on one ground: the same users, targets, categories and popularity.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.manifests import MatrixManifest, SegmentFigure
from models.metric.beyond_accuracy import Catalogue
from models.metric.list_overlap import shared_items
from models.metric.measurement import measure
from models.metric.metric import rank_lists
from models.metric.ranking_metric import hit_matrix, recall_by_group
from models.metric.segment import (
    TIERS,
    activity_segment,
    by_segment,
    category_segment,
    item_tier,
    new_user_segment,
)
from models.metric.segment import (
    SegmentFigure as SegmentStatistic,
)
from models.popularity import Popularity
from models.ranking.ranking import FactorModel, ScoreModel
from tasks.catalogue import read_catalogue
from tasks.history.matrix_shard import load_shard
from tasks.judging.contender import Contender
from tasks.judging.held_out import HeldOut, shown_to
from tasks.lake import Night
from tasks.training.device import choose_device

PerUser = dict[str, np.ndarray]  # metric -> one value per judged user
Figures = dict[str, dict[str, SegmentFigure]]  # segment -> model
Segmentation = tuple[np.ndarray, tuple[str, ...]]  # place of every user in the names, -1 for none
CHALLENGER, CHAMPION, POPULARITY = "challenger", "champion", "popularity"
FALLBACK = "fallback_share"
SHOWN = 20  # what metrics of exposure count
BY_TIER = f"item tier, recall@{SHOWN}"
INTERACTIONS = "interactions"
_MOST_CATEGORIES, _MOST_SEGMENTS = 200, 20
_OTHER = "other"


class Ground(NamedTuple):
    """What all models are measured on."""

    held_out: HeldOut
    catalogue: Catalogue
    tier: np.ndarray  # (n_items,) place in TIERS
    segmentations: dict[str, Segmentation]


class Measured(NamedTuple):
    """What the lists of one model are worth."""

    items: np.ndarray  # (n_users, 100) int32, padded with -1
    values: PerUser
    by_tier: np.ndarray  # (n_users, 3) recall of targets of each tier; nan where nothing is asked


def measure_all(
    night: Night,
    matrices: MatrixManifest,
    held_out: HeldOut,
    contenders: dict[str, Contender],
    item_ids: pl.Series,
) -> tuple[Ground, dict[str, Measured]]:
    """Measure the contenders and the popular list; return on what ground, and what was found.

    Args:
        night: of the judgement.
        matrices: of the night.
        held_out: the judged users.
        contenders: the challenger and, where there is one, the champion.
        item_ids: the vocabulary, in index order.
    """
    challenger = contenders[CHALLENGER]
    ground = lay_ground(night, matrices, held_out, challenger, item_ids)
    device = choose_device(night.config.training.device)
    measured = {}
    for name, each in contenders.items():
        shown = shown_to(night, matrices, held_out, each.consumes)
        measured[name] = measure_contender(ground, each, shown, device=device)
    popular, known = Popularity(challenger.counts), challenger.known
    measured[POPULARITY] = _measured(ground, popular, known, held_out.fold_in, device=device)
    return ground, measured


def lay_ground(
    night: Night,
    matrices: MatrixManifest,
    held_out: HeldOut,
    judged: Contender,
    item_ids: pl.Series,
) -> Ground:
    """Return what tonight's models are measured on.

    Args:
        night: says where the catalogue lies.
        matrices: of the night.
        held_out: the judged users.
        judged: the challenger; its counts are the popularity of training, its vectors tell
            items apart for the diversity of all models; without any that is not measured.
        item_ids: the vocabulary, in index order.
    """
    code, names = _categories(night, item_ids, judged.counts)
    folder = night.step("matrices")
    shards = (load_shard(folder, shard) for shard in range(matrices.n_shards))
    n_users = sum(int(np.count_nonzero(shard.n_before)) for shard in shards)
    catalogue = Catalogue(
        counts=judged.counts, n_users=n_users,
        category=_most_met(code, names, _MOST_CATEGORIES)[0] if names else None,
        embedding=judged.vectors,
    )  # fmt: skip
    segmentations = {
        "activity, items shown": activity_segment(np.diff(held_out.fold_in.indptr)),
        "users": new_user_segment(held_out.n_before),
    }
    if names:
        few, names = _most_met(code, names, _MOST_SEGMENTS)
        taste = category_segment(held_out.fold_in, few, n_categories=len(names))
        segmentations["category"] = (taste, names)
    return Ground(held_out, catalogue, item_tier(judged.counts), segmentations)


def measure_contender(
    ground: Ground, contender: Contender, shown: sp.csr_array, *, device: str = "cpu"
) -> Measured:
    """Return the lists of a model and every metric of them, per user.

    Users who are shown nothing that it knows get no list from it in the tables: their mean is
    the metric fallback_share.

    Args:
        ground: who is judged.
        contender: scores what is shown.
        shown: to the judged users, as the contender consumes it (tasks.judging.held_out.shown_to).
        device: torch device that makes the lists; they are the same on all.
    """
    measured = _measured(ground, contender.judged, contender.comparable, shown, device=device)
    unserved = ~contender.usable(shown)
    return measured._replace(values=measured.values | {FALLBACK: unserved.astype(np.float64)})


def _measured(
    ground: Ground,
    model: FactorModel | ScoreModel,
    known: np.ndarray,
    shown: sp.csr_array,
    *,
    device: str,
) -> Measured:
    fold_in, target, n_before = ground.held_out
    items = rank_lists(model, fold_in=shown, seen=fold_in, eligible=known, device=device)
    values = measure(items, fold_in=fold_in, target=target, catalogue=ground.catalogue, k=SHOWN)
    values[FALLBACK] = np.zeros(len(n_before))
    hit = hit_matrix(items, target)
    by_tier = recall_by_group(hit, items, target, ground.tier, n_groups=len(TIERS), k=SHOWN)
    return Measured(items, values, by_tier)


def segment_figures(
    ground: Ground, measured: dict[str, Measured], metric: str
) -> dict[str, Figures]:
    """Return the metric of every model by segment of users, and recall by tier of the targets.

    Segments without users are left out.
    """
    found = {
        title: {name: by_segment(each.values[metric], *users) for name, each in measured.items()}
        for title, users in ground.segmentations.items()
    }
    everybody = np.zeros(len(ground.held_out.n_before), dtype=np.int64)
    found[BY_TIER] = {
        name: {
            tier: by_segment(each.by_tier[:, place], everybody, (tier,))[tier]
            for place, tier in enumerate(TIERS)
        }
        for name, each in measured.items()
    }
    return {title: _by_segment_first(figures) for title, figures in found.items()}


def exposure(ground: Ground, measured: dict[str, Measured]) -> dict[str, dict[str, float]]:
    """Return the share that each tier has of the places in lists, and of all interactions."""
    tier, counts = ground.tier, ground.catalogue.counts
    met = np.bincount(tier, weights=counts, minlength=len(TIERS))
    places = {INTERACTIONS: met}
    for name, each in measured.items():
        top = each.items[:, :SHOWN]
        places[name] = np.bincount(tier[top[top >= 0]], minlength=len(TIERS))
    return {
        name: dict(zip(TIERS, (share / max(share.sum(), 1)).tolist(), strict=True))
        for name, share in places.items()
    }


def list_change(ours: Measured, theirs: Measured, n_items: int) -> np.ndarray:
    """Return the share of each user's first 20 that the other model does not list there."""
    top, other = ours.items[:, :SHOWN], theirs.items[:, :SHOWN]
    same = shared_items(top, other, n_items)
    longer = np.maximum((top >= 0).sum(axis=1), (other >= 0).sum(axis=1))
    return np.asarray(1.0 - same / np.maximum(longer, 1))


def _by_segment_first(
    figures: dict[str, dict[str, SegmentStatistic]],
) -> Figures:
    turned: Figures = {}
    for model, segments in figures.items():
        for segment, (mean, error, n_users) in segments.items():
            if n_users:
                known = None if np.isnan(error) else error
                figure = SegmentFigure(mean=mean, standard_error=known, n_users=n_users)
                turned.setdefault(segment, {})[model] = figure
    return turned


def _categories(night: Night, item_ids: pl.Series, counts: np.ndarray) -> Segmentation:
    """Return the category of every item and the names, the most met first."""
    catalogue = read_catalogue(night, only=["category"])
    if not catalogue.height:
        return np.full(len(item_ids), -1, dtype=np.int64), ()
    items = pl.DataFrame({"item_id": item_ids, "met": counts})
    items = items.join(catalogue, on="item_id", how="left", maintain_order="left")
    by_category = items.drop_nulls("category").group_by("category").agg(pl.col("met").sum())
    ranked = by_category.sort("met", "category", descending=[True, False])["category"]
    places = {name: place for place, name in enumerate(ranked)}
    code = items["category"].replace_strict(places, default=-1, return_dtype=pl.Int64)
    return code.to_numpy(), tuple(ranked)


def _most_met(code: np.ndarray, names: tuple[str, ...], most: int) -> Segmentation:
    """Return the first categories, and all others as one."""
    if len(names) <= most:
        return code, names
    return np.minimum(code, most), (*names[:most], _OTHER)
