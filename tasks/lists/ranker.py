"""Tonight's lists of one surface, block by block: the model, the rules, then what fills gaps."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from models.content.content import ContentModel
from models.fitted_model import explain_lists, lowest_listed
from models.ranking.ranking import FactorModel, ScoreModel, rank_users
from models.ranking.rerank import rerank, rotation_noise
from tasks.ingest.user_shards import shards_of
from tasks.judging.contender import Contender
from tasks.lists.content import ContentVectors
from tasks.lists.open_lists import OpenLists
from tasks.lists.rules import SurfaceRules, UserRules
from tasks.lists.tiers import SOURCES, Tiers
from tasks.vocabulary.universe import widened

logger = logging.getLogger(__name__)
_HASHES = 2**31 - 1  # values of the hash behind rotation
MODEL, CONTENT, IN_SEGMENT, POPULAR = (
    SOURCES.index(each) for each in ("model", "content", "popular_in_segment", "popular")
)


class Ranked(NamedTuple):
    """Lists of one block of users, padded with -1, scores and shares with nan."""

    items: np.ndarray  # (n_users, n) int32
    scores: np.ndarray  # (n_users, n) float32
    source: np.ndarray  # (n_users, n) int8, places in SOURCES
    because: np.ndarray  # (n_users, n) int32
    share: np.ndarray  # (n_users, n) float32
    reason: np.ndarray  # (n_users,) int8, places in SHORT_REASONS
    own: np.ndarray  # (n_users,) places that the model filled, by content too


class Block(NamedTuple):
    """Some users, their histories over the item universe, and their rules."""

    users: pl.Series
    X: sp.csr_array
    rules: UserRules

    def take(self, rows: np.ndarray | slice) -> "Block":
        """Return some of the users."""
        group, hidden, allowed = self.rules
        part = UserRules(group[rows], hidden[rows], None if allowed is None else allowed[rows])
        return Block(self.users[rows], self.X[rows], part)


@dataclass(frozen=True)
class Ranker:
    """The champion, the rules of a surface, and what fills the places the model leaves empty."""

    champion: Contender
    tiers: Tiers
    content: ContentVectors | None
    rules: SurfaceRules
    item_ids: pl.Series
    run_date: date
    device: str = "cpu"
    block_size: int | None = None

    @cached_property
    def _item_hash(self) -> np.ndarray:
        return shards_of(self.item_ids, _HASHES)

    def rank(
        self, X: sp.csr_array, rules: UserRules, users: pl.Series
    ) -> Iterator[tuple[slice, Ranked]]:
        """Yield the lists of all users, in order.

        Args:
            X: histories over the vocabulary, shape (n_users, n_vocabulary).
            rules: of these users.
            users: their ids.
        """
        everybody = Block(users, widened(X, len(self.item_ids)), rules)
        usable = self.champion.usable(everybody.X)
        for rows, items, scores in self._by_model(everybody, self._depth):
            items[~usable[rows]], scores[~usable[rows]] = -1, np.nan
            yield rows, self._finished(everybody.take(rows), items, scores)

    def _finished(self, block: Block, items: np.ndarray, scores: np.ndarray) -> Ranked:
        items, scores = self._chosen(block, items, scores)
        source = np.full(items.shape, MODEL, dtype=np.int8)
        lists = OpenLists(items, scores, source, self.rules, block.rules)
        self._give_places_to_content(block, lists)
        for tier in self.rules.surface.fallback:
            if not lists.are_full:
                self._fall_back(tier, block, lists)
        listed = np.where(source == MODEL, items, -1)
        because, share = explain_lists(self.champion.model, block.X, listed)
        own = (listed >= 0).sum(axis=1)
        source[(listed >= 0) & ~self.champion.known[listed]] = CONTENT  # nobody has met them
        return Ranked(items, scores, source, because, share, lists.short_reasons(), own)

    @property
    def _depth(self) -> int:
        """How many candidates the model names for every user."""
        surface = self.rules.surface
        chooses = self._diversity or surface.rotation or self._capped
        return min(surface.n_top * (surface.pool if chooses else 1), len(self.item_ids))

    @cached_property
    def _vectors(self) -> np.ndarray | None:
        return self.champion.vectors

    @cached_property
    def _diversity(self) -> float:
        """The surface's diversity, 0 where the champion has no vectors to tell items apart by."""
        diversity = self.rules.surface.diversity
        if diversity and self._vectors is None:
            logger.warning(
                "surface %s: the champion has no vectors of items, so lists are not made diverse",
                self.rules.name,
            )
            return 0.0
        return diversity

    @cached_property
    def _min_score(self) -> float | None:
        limits = (self.rules.surface.min_score, lowest_listed(self.champion.model))
        return max((each for each in limits if each is not None), default=None)

    @property
    def _capped(self) -> bool:
        return bool((self.rules.caps < self.rules.surface.n_top).any())

    def _by_model(self, block: Block, k: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        eligible = self.rules.eligible & self.champion.listable
        return self._ranked(
            self.champion.model, block, eligible, k, boost=self.rules.boost,
            min_score=self._min_score, device=self.device,
        )  # fmt: skip

    def _ranked(
        self,
        model: FactorModel | ScoreModel,
        block: Block,
        eligible: np.ndarray,
        k: int,
        **more: Any,
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        group, hidden, allowed = block.rules
        return rank_users(
            model, block.X, seen=hidden, eligible=eligible, k=k, group=group, allowed=allowed,
            block_size=self.block_size, **more,
        )  # fmt: skip

    def _chosen(
        self, block: Block, items: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the model's part of the lists; caps may need candidates from further down."""
        n_items = len(self.item_ids)
        places = self._places(block, items, scores)
        best_items, best_scores = _gathered(items, scores, places)
        k, users = items.shape[1], np.arange(len(items))
        while self._capped and k < n_items:
            more = (best_items[users, -1] < 0) & (items[:, -1] >= 0)
            if not more.any():
                break
            users, k = users[more], min(4 * k, n_items)
            part = block.take(users)
            items, scores = _together(self._by_model(part, k))
            places = self._places(part, items, scores)
            best_items[users], best_scores[users] = _gathered(items, scores, places)
        return best_items, best_scores

    def _places(self, block: Block, items: np.ndarray, scores: np.ndarray) -> np.ndarray:
        surface = self.rules.surface
        noise = None
        if surface.rotation:
            noise = rotation_noise(
                items, scores, users_hash=shards_of(block.users, _HASHES),
                item_hash=self._item_hash, day=self.run_date.toordinal(), share=surface.rotation,
            )  # fmt: skip
        return rerank(
            items, scores, n=surface.n_top, category=self.rules.category, caps=self.rules.caps,
            noise=noise, diversity=self._diversity, vectors=self._vectors,
        )  # fmt: skip

    def _give_places_to_content(self, block: Block, lists: OpenLists) -> None:
        n_places = min(self.rules.surface.content_places, self.rules.surface.n_top)
        if n_places:
            held = lists.hold_back(n_places)
            self._fall_back("content", block, lists)
            lists.fill(*held, MODEL)  # what content leaves is the model's again

    def _fall_back(self, tier: str, block: Block, lists: OpenLists) -> None:
        if tier != "content":
            segment = self.rules.segment[block.rules.group]
            order, scores, which = self.tiers.of(tier, segment)
            lists.fill(order, scores, SOURCES.index(tier), lists=which)
            if tier == "popular_in_segment":  # small segments, and users of none: everybody's list
                lists.source[(lists.source == IN_SEGMENT) & (which == 0)[:, None]] = POPULAR
        elif self.content is not None:
            lists.fill(*self._by_content(block, self.content), CONTENT)

    def _by_content(self, block: Block, content: ContentVectors) -> tuple[np.ndarray, np.ndarray]:
        """Return the items nobody met that are likest to each user's history, best first."""
        model = ContentModel(content.V)
        new = content.known & (self.champion.counts == 0)
        items, scores = _together(
            self._ranked(model, block, self.rules.eligible & new, self._depth)
        )
        unlike = ~(scores > 0)
        items[unlike], scores[unlike] = -1, np.nan
        return items, scores


def _together(blocks: Iterator[tuple[slice, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, ...]:
    _, items, scores = zip(*blocks, strict=True)
    return np.concatenate(items), np.concatenate(scores)


def _gathered(
    items: np.ndarray, scores: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return items and scores at the places, -1 and nan where a place is -1."""
    there = places >= 0
    place = np.where(there, places, 0)
    found = np.where(there, np.take_along_axis(items, place, axis=1), -1)
    return found, np.where(found >= 0, np.take_along_axis(scores, place, axis=1), np.nan)
