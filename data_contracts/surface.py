"""A surface: one place that shows recommendations, with a length and rules of its own."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt, model_validator

from data_contracts.frozen import Frozen

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Factor = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Hiding = Literal["always", "never"] | PositiveInt
Tier = Literal["popular_in_segment", "popular", "newest", "content"]
NAME = r"^[a-z][a-z0-9_]*$"


class SurfaceConfig(Frozen):
    """One place that shows lists: how long they are and what may stand in them."""

    as_section: ClassVar[bool] = True

    n_top: PositiveInt = 20
    """Items per user."""
    seen: dict[str, Hiding] = Field(default={})
    """Event type -> how long it hides its item: "always", "never", or days; by default always."""
    categories: tuple[str, ...] = ()
    """Only items of these categories; none given means all."""
    max_per_category: PositiveInt | None = None
    """Most items of one category in a list."""
    category_caps: dict[str, NonNegativeInt] = Field(default={})
    """Category -> most of its items in a list, before max_per_category; 0 keeps it out."""
    allow: str | None = None
    """Pattern of Parquet files with item_id (and user_id or segment): only these are listed."""
    block: str | None = None
    """Pattern of Parquet files with item_id (and user_id or segment): these are never listed."""
    min_score: FiniteFloat | None = None
    """Smallest score of the model that is listed."""
    boosts: dict[str, Factor] = Field(default={})
    """Category -> factor of its items' scores; below 1 pushes them down."""
    diversity: Share = 0.0
    """How much being unlike the items above counts against the score, by embeddings."""
    rotation: Share = 0.0
    """Largest share of its score that a place may lose for a list that changes by the day."""
    pool: PositiveInt = 5
    """Candidates per place that diversity and rotation choose from."""
    content_places: NonNegativeInt = 0
    """Last places kept for items that nobody has met, the likest in text to the user's history."""
    fallback: tuple[Tier, ...] = ("popular_in_segment", "popular", "content", "newest")
    """What fills places the model leaves empty, in this order."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.fallback)) < len(self.fallback):
            raise ValueError(f"fallback must name a tier once, got {', '.join(self.fallback)}")
        return self


class SegmentsConfig(Frozen):
    """The optional table of users' segments, for lists and popularity of their own."""

    files: str = "segments/*.parquet"
    """Pattern of its files (user_id, segment), relative to the lake or absolute."""
