"""What is known of one user or one item, for people who ask why."""

from datetime import date

from data_contracts.frozen import Frozen
from data_contracts.report import Recommendation


class Origin(Frozen):
    """The snapshot an answer is about."""

    snapshot_id: str
    run_date: date
    model_version: str


class MetItem(Frozen):
    """One item of a user's history."""

    item_id: str | int
    title: str | None
    weight: float
    events: int
    first_day: date  # in the time zone of the log
    last_day: date


class UserList(Frozen):
    """What one surface shows a user."""

    surface: str
    short_reason: str | None
    items: tuple[Recommendation, ...]


class UserStory(Frozen):
    """A user's history and lists."""

    origin: Origin
    user_id: str | int
    segment: str | None
    history: tuple[MetItem, ...]  # strongest first
    history_is_kept: bool  # false where the snapshot is so old that its night was tidied up
    lists: tuple[UserList, ...]


class SimilarItem(Frozen):
    """One neighbour of an item."""

    rank: int
    item_id: str | int
    title: str | None
    score: float
    source: str


class Listed(Frozen):
    """How often one surface shows an item."""

    surface: str
    users: int
    share_of_users: float  # of those with a list
    mean_rank: float
    sources: dict[str, int]


class ItemStory(Frozen):
    """An item's place in catalogue, model and lists."""

    origin: Origin
    item_id: str | int
    title: str | None
    category: str | None
    available: bool  # true where no catalogue says otherwise
    in_catalogue: bool
    users_met: int | None  # users with the item in their history; none where it is not kept
    model_users: int | None  # users the model learnt it from; none where the model has not met it
    similar: tuple[SimilarItem, ...]
    lists: tuple[Listed, ...]
