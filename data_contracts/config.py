"""The configuration of a lake: one TOML file, parsed once at the edge of a flow.

Every default lives here and nowhere else. Unknown keys are refused.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from data_contracts.bucket_pattern import known_place
from data_contracts.config_file import read_config
from data_contracts.data_drift import DataDriftConfig
from data_contracts.drift import DriftConfig
from data_contracts.environment import resolve
from data_contracts.errors import ConfigError
from data_contracts.frozen import Frozen
from data_contracts.model_config import ELSAConfig, ModelConfig, model_kinds
from data_contracts.privacy import PrivacyConfig
from data_contracts.publishing import PublishConfig
from data_contracts.source import SourceConfig
from data_contracts.surface import NAME, SegmentsConfig, Share, SurfaceConfig
from data_contracts.tuning import TuneConfig, check_space
from data_contracts.validation import ValidationConfig

SurfaceName = Annotated[str, Field(pattern=NAME)]
EVENT_WEIGHTS = {"view": 1.0, "add_to_cart": 2.0, "purchase": 4.0}


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(
            f"time_zone must be an IANA name such as Europe/Prague, got {name}"
        ) from error
    return name


def _with_date(pattern: str) -> str:
    if pattern.count("{date}") != 1:
        raise ValueError(f"files must hold {{date}} once, got {pattern}")
    return pattern


class InteractionColumns(Frozen):
    """The log's names for our columns; an empty name means that the log has no such column."""

    user_id: str = "user_id"
    """Who: a string or an integer, kept as it is up to the tables."""
    item_id: str = "item_id"
    """What: a string or an integer, kept as it is up to the tables."""
    timestamp: str = "timestamp"
    """When."""
    event_type: str = "event_type"
    """Which kind of event; "" if the log has no such column (see default_event_type)."""
    event_id: str = ""
    """Column that tells events of a user apart; else user, item, event type and time do."""
    value: str = ""
    """Column of explicit ratings, kept for models that predict them."""


class InteractionsConfig(Frozen):
    """Where the log lies and how its times are to be read."""

    files: Annotated[str, AfterValidator(known_place), AfterValidator(_with_date)] = (
        "interactions/date={date}/*.parquet"
    )
    """Pattern of a day's files: in the lake, absolute or s3://bucket/...; {date} is YYYY-MM-DD."""
    default_event_type: str = "view"
    """Event type of every row where the log has no such column."""
    time_unit: Literal["datetime", "s", "ms", "us", "ns"] = "datetime"
    """"datetime" for Parquet timestamps; a unit since 1970 where times are integers."""
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """IANA zone of times that carry none, and of the days of the log."""
    earliest: date = date(2000, 1, 1)
    """A time before this day is a fault of the clock that wrote it."""
    look_back_days: PositiveInt = 3
    """How late an event or a file may arrive and still be taken."""
    columns: InteractionColumns = InteractionColumns()


class ItemColumns(Frozen):
    """The catalogue's names for our columns; all but item_id may be absent from the files."""

    item_id: str = "item_id"
    """The same ids as in the log."""
    title: str = "title"
    """What people read."""
    category: str = "category"
    """One category of the item."""
    text: str = "text"
    """What the item is about, for likening items that nobody has met yet."""
    available: str = "available"
    """A false value keeps the item out of every list."""
    added: str = "added"
    """Day or time the item came, for the newest; by default that of its first event."""


class ItemsConfig(Frozen):
    """The optional catalogue of items."""

    files: Annotated[str, AfterValidator(known_place)] = "items/*.parquet"
    """Pattern of its files: in the lake, absolute or s3://bucket/...; no file, no catalogue."""
    columns: ItemColumns = ItemColumns()


class HistoryConfig(Frozen):
    """How events become one weight per (user, item), as of the run date."""

    window_days: PositiveInt = 365
    """Older events are forgotten."""
    half_life_days: PositiveFloat | None = 60.0
    """After so many days an event counts half, counted from the run date."""
    max_weight: PositiveFloat = 10.0
    """Largest weight of one (user, item)."""
    max_user_weight: PositiveFloat | None = None
    """Largest sum of a user's weights, if any: larger ones are scaled down alike."""
    n_user_shards: PositiveInt | None = None
    """Number of user shards, fixed for the life of a lake; chosen by the first night's log."""


class TrainingConfig(Frozen):
    """Where and how the model is trained."""

    where: Literal["in_process", "deployment"] = "in_process"
    """"deployment" hands the training to the worker of the deployment below."""
    deployment: str = "train/gpu"
    """Prefect deployment (flow/name) that trains."""
    timeout_seconds: PositiveInt = 21_600
    """Longest wait for it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """"auto" takes the GPU where there is one; the choice is logged."""
    validation_share: Share = 0.05
    """Share of users held out of the fit for early stopping."""
    validation_users: Literal["known", "unseen"] = "known"
    """Whether what they are shown is fitted too, as it is for users who come back."""
    min_users_per_item: PositiveInt = 1
    """Items that fewer users have met teach nothing; fallbacks may still list them."""
    min_items_per_user: PositiveInt = 1
    """Users who have met fewer items teach nothing; they get lists all the same."""
    max_validation_users: PositiveInt = 2000
    """Most users held out of the fit for early stopping."""
    refit: bool = True
    """After judging, fit once more with the held-out days before registering."""
    max_memory_gb: PositiveFloat | None = None
    """Most memory of a model of items x items; by default what the machine has free."""


class EvaluationConfig(Frozen):
    """The temporal hold-out that judges challenger, champion and popularity."""

    holdout_days: PositiveInt = 1
    """How many last days are held out."""
    fold_in_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.8
    """Of a user without earlier history, the first share of items is shown, the rest asked."""
    max_users: PositiveInt = 20_000
    """Most users judged."""
    n_bootstrap: PositiveInt = 1000
    """Resamples behind an interval."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Confidence of the intervals."""


class GateConfig(Frozen):
    """What a challenger must show against the champion."""

    primary: Literal[
        "recall@20", "recall@50", "ndcg@20", "ndcg@100", "map@20", "mrr@20", "hit_rate@20"
    ] = "ndcg@100"
    """The metric that decides."""
    margin: NonNegativeFloat = 0.05
    """Tolerated loss of that metric, relative to the champion's."""
    min_users: PositiveInt = 1200
    """Fewer judged users are no evidence; from so many on a loss as large as the margin shows."""
    power: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.8
    """Probability of finding a loss as large as the margin, below which nothing can be judged."""
    unjudged: Literal["hold", "promote"] = "hold"
    """What becomes of a challenger that cannot be judged."""
    max_coverage_loss: Share = 0.3
    """Tolerated loss of coverage@20, relative to the champion's."""
    max_popularity_rise: NonNegativeFloat = 0.5
    """Tolerated rise of popularity_lift@20; 1 is as much as the popularity of histories."""
    max_fallback_rise: Share = 0.05
    """Tolerated rise of the share of judged users for whom the model knows nothing."""
    max_list_change: Share = 1.0
    """Largest share of the first 20 that may differ from the champion's, else it is held."""


class TablesConfig(Frozen):
    """What is published."""

    n_similar: PositiveInt = 20
    """Items per item in similar_items."""
    max_fallback_share: Share = 0.5
    """Largest share of users whose list holds nothing of the model."""
    keep_snapshots: PositiveInt = 7
    """Snapshots kept."""


class RatingPredictionsConfig(Frozen):
    """The table rating_predictions, for a model that predicts ratings."""

    pairs: Annotated[str, AfterValidator(known_place)] = ""
    """Parquet file with user_id and item_id: in the lake, absolute or s3://...; "" for none."""


class MLflowConfig(Frozen):
    """Tracking and registry."""

    tracking_uri: str | None = None
    """An MLflow server or database; by default SQLite and files inside the lake."""
    experiment: str = "hoarfrost"
    """Experiment of the nightly runs."""
    registered_model: str = "hoarfrost"
    """Name in the registry."""


class NightlyConfig(Frozen):
    """Everything a night needs to know besides its run date."""

    lake: str = "lake"
    """Root of everything, relative to this file."""
    seed: int = 42
    """Every random choice follows from it."""
    events: dict[str, NonNegativeFloat] = Field(default=EVENT_WEIGHTS, min_length=1)
    """Event types and their weights; 0 makes a user known without saying what they like."""
    interactions: InteractionsConfig = InteractionsConfig()
    items: ItemsConfig = ItemsConfig()
    source: SourceConfig = SourceConfig()
    segments: SegmentsConfig = SegmentsConfig()
    validation: ValidationConfig = ValidationConfig()
    history: HistoryConfig = HistoryConfig()
    model: ModelConfig = ELSAConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    tune: TuneConfig = TuneConfig()
    gate: GateConfig = GateConfig()
    surfaces: dict[SurfaceName, SurfaceConfig] = Field(
        default={"home": SurfaceConfig()}, min_length=1
    )
    """Surface -> its length and rules; each is a partition of top_n."""
    tables: TablesConfig = TablesConfig()
    rating_predictions: RatingPredictionsConfig = RatingPredictionsConfig()
    publish: PublishConfig = PublishConfig()
    drift: DriftConfig = DriftConfig()
    data_drift: DataDriftConfig = DataDriftConfig()
    mlflow: MLflowConfig = MLflowConfig()
    privacy: PrivacyConfig = PrivacyConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "://" in self.lake:
            raise ValueError(f"lake must be a local folder, got {self.lake}")
        if not any(self.events.values()):
            raise ValueError("at least one event type must have a weight above 0")
        columns, default = self.interactions.columns, self.interactions.default_event_type
        if not columns.event_type and default not in self.events:
            raise ValueError(f"default_event_type must be one of the event types, got {default}")
        for name, surface in self.surfaces.items():
            if unknown := set(surface.seen) - set(self.events):
                raise ValueError(
                    f"surfaces.{name}.seen must name event types of [events], got {unknown}"
                )
        if self.model.consumes == "ratings" and not columns.value:
            raise ValueError(
                f"a model of kind {self.model.kind} learns from ratings: name the log's column of "
                "ratings in interactions.columns.value, or choose another kind"
            )
        if self.rating_predictions.pairs and self.model.consumes != "ratings":
            raise ValueError(
                f"rating_predictions.pairs needs a model that predicts ratings, got kind "
                f"{self.model.kind}: leave the pairs out, or choose another kind"
            )
        for name, surface in self.surfaces.items():
            if surface.diversity and not self.model.has_vectors:
                raise ValueError(
                    f"surfaces.{name}.diversity needs vectors of items, which a model of kind "
                    f"{self.model.kind} has not: set it to 0, or choose another kind"
                )
        check_space(self.tune, model_kinds())
        return self


def load_config(path: Path) -> NightlyConfig:
    """Return the configuration in a TOML file; a relative lake is relative to that file.

    Raises:
        ConfigError: the file is missing, is not TOML, holds an unknown key or a bad value,
            refers to an environment variable that is not set, or names an unfit folder.
    """
    config = read_config(path, NightlyConfig, missing="write one with 'hoarfrost init'")
    lake = (path.parent / resolve(config.lake)).resolve()
    if set("*?[") & set(str(lake)):  # the readers of Parquet would take them for a pattern
        raise ConfigError(f"lake must be a folder without *, ? and [ in its path, got {lake}")
    if config.mlflow.tracking_uri is not None:
        resolve(config.mlflow.tracking_uri)  # an unset variable fails here, the value stays out
    return config.model_copy(update={"lake": str(lake)})
