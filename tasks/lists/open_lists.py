"""Lists of some users while they are made: free places are filled, one source at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.ranking.fallback import fill, short_reasons
from tasks.lists.rules import SurfaceRules, UserRules


@dataclass(frozen=True)
class OpenLists:
    """Items padded with -1 at the end; filling changes the arrays."""

    items: np.ndarray  # (n_users, n) int32
    scores: np.ndarray  # (n_users, n) float32
    source: np.ndarray  # (n_users, n) int8
    rules: SurfaceRules
    users: UserRules

    @property
    def are_full(self) -> bool:
        """Whether no place is free."""
        return bool((self.items[:, -1] >= 0).all())

    def fill(
        self, order: np.ndarray, scores: np.ndarray, code: int, *, lists: np.ndarray | None = None
    ) -> None:
        """Fill free places from ranked lists of items.

        Args:
            order: ranked items, shape (n_lists, m), padded with -1.
            scores: of them, the same shape.
            code: the source they come from.
            lists: which list a user takes, shape (n_users,); by default each their own.
        """
        own = np.arange(len(self.items)) if lists is None else lists
        fill(
            self.items, self.scores, self.source, order=order, order_scores=scores, code=code,
            row_order=own.astype(np.int32), **self._rules(),
        )  # fmt: skip

    def hold_back(self, n_places: int) -> tuple[np.ndarray, np.ndarray]:
        """Free the last places and return what stood there."""
        items, scores = self.items[:, -n_places:].copy(), self.scores[:, -n_places:].copy()
        self.items[:, -n_places:], self.scores[:, -n_places:] = -1, np.nan
        return items, scores

    def short_reasons(self) -> np.ndarray:
        """Return why each list has free places, as place in SHORT_REASONS, -1 where it has none."""
        return short_reasons(self.items, **self._rules())

    def _rules(self) -> dict[str, Any]:
        return {
            "eligible": self.rules.eligible,
            "category": self.rules.category,
            "caps": self.rules.caps,
            "group": self.users.group,
            "hidden": self.users.hidden,
            "allowed": self.users.allowed,
        }
