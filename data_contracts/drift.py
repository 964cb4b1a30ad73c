"""How far lists moved since the night before, and how far they may."""

from typing import Annotated

from pydantic import Field

from data_contracts.frozen import Frozen
from data_contracts.manifests import Manifest
from data_contracts.surface import Share


class DriftLimits(Frozen):
    """Bounds of the figures of a surface; one that is left out bounds nothing."""

    min_overlap: Share | None = None
    """Smallest mean share of a list that was in the user's list before: below, lists churn."""
    min_rank_overlap: Share | None = None
    """Smallest mean rank-biased overlap, which counts the first places most."""
    min_changed_users: Share | None = None
    """Smallest share of users with another list than before: below, lists are frozen."""
    max_changed_users: Share | None = None
    """Largest share of users with another list than before."""
    max_items_in: Share | None = None
    """Largest share of the listed items that were in no list before."""
    max_items_out: Share | None = None
    """Largest share of the items listed before that are in no list now."""
    max_popular_users: Share | None = None
    """Largest share of users whose list is the popular one."""
    max_popular_overlap: Share | None = None
    """Largest mean share of a list that is in the popular list."""


class WarnLimits(DriftLimits):
    """Bounds beyond which the report warns; nothing else happens."""

    min_overlap: Share | None = 0.2
    """Smallest mean share of a list that was in the user's list before: below, lists churn."""
    min_changed_users: Share | None = 0.01
    """Smallest share of users with another list than before: below, lists are frozen."""
    max_items_in: Share | None = 0.5
    """Largest share of the listed items that were in no list before."""
    max_items_out: Share | None = 0.5
    """Largest share of the items listed before that are in no list now."""
    max_popular_users: Share | None = 0.5
    """Largest share of users whose list is the popular one."""


class StopLimits(DriftLimits):
    """Bounds beyond which the night ends before it publishes; the last snapshot stays."""


class DriftConfig(Frozen):
    """How lists are compared with those of the night before."""

    persistence: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.9
    """p of rank-biased overlap: how likely a reader goes on to the next place."""
    warn: WarnLimits = WarnLimits()
    stop: StopLimits = StopLimits()


class SurfaceDrift(Frozen):
    """How the lists of one surface moved; means are over the users of both snapshots."""

    users: int  # with a list now
    shared_users: int  # with a list now and before
    new_users: int
    gone_users: int
    overlap: float  # mean share of a list that was in the user's list before, whatever the place
    rank_overlap: float  # mean rank-biased overlap, extrapolated
    changed_users: float  # share of shared users whose list is another, or in another order
    items_in: float  # share of the listed items that were in no list before
    items_out: float  # share of the items listed before that are in no list now
    popular_users: float  # share of users whose list is the popular one, without what they met
    popular_overlap: float  # mean share of a list that is in the popular list


class Drift(Frozen):
    """How the lists moved since the snapshot before."""

    previous_snapshot: str
    surfaces: dict[str, SurfaceDrift]  # those of both snapshots
    warnings: tuple[str, ...]


class DriftManifest(Manifest):
    """The comparison with the snapshot before; none where there is no earlier one."""

    drift: Drift | None
