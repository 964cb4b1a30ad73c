"""The configuration of a lake: one TOML file, parsed once at the edge of a flow.

Every default lives here and nowhere else. Unknown keys are refused.
"""

import tomllib
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
    ValidationError,
    model_validator,
)

from data_contracts.environment import resolve
from data_contracts.errors import ConfigError
from data_contracts.frozen import Frozen

Share = Annotated[float, Field(ge=0.0, le=1.0)]
EVENT_WEIGHTS = {"view": 1.0, "add_to_cart": 2.0, "purchase": 4.0}


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"time_zone must be an IANA name such as Europe/Prague, got {name}") from error
    return name


def _with_date(pattern: str) -> str:
    if pattern.count("{date}") != 1:
        raise ValueError(f"files must hold {{date}} once, got {pattern}")
    return pattern


class InteractionColumns(Frozen):
    """Our names on the left, the log's names on the right."""

    user_id: str = "user_id"
    item_id: str = "item_id"
    timestamp: str = "timestamp"
    event_type: str | None = "event_type"


class InteractionsConfig(Frozen):
    """Where the log lies and how its times are to be read."""

    files: Annotated[str, AfterValidator(_with_date)] = "interactions/date={date}/*.parquet"
    columns: InteractionColumns = InteractionColumns()
    default_event_type: str = "view"
    time_unit: Literal["datetime", "s", "ms", "us", "ns"] = "datetime"
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    earliest: date = date(2000, 1, 1)
    look_back_days: PositiveInt = 3


class ItemColumns(Frozen):
    """Our names on the left, the catalogue's names on the right; absent columns are fine but for item_id."""

    item_id: str = "item_id"
    title: str = "title"
    category: str = "category"
    available: str = "available"


class ItemsConfig(Frozen):
    """The optional catalogue."""

    files: str = "items/*.parquet"
    columns: ItemColumns = ItemColumns()


class ValidationConfig(Frozen):
    """When bad rows or a small day stop the night."""

    max_bad_share: Share = 0.2
    max_bad_rows: PositiveInt | None = None
    min_rows: PositiveInt = 1
    min_share_of_usual: Share = 0.2
    max_events_per_user_day: PositiveInt = 1000


class HistoryConfig(Frozen):
    """How events become one weight per (user, item), as of the run date."""

    window_days: PositiveInt = 365
    half_life_days: PositiveFloat | None = 60.0
    max_weight: PositiveFloat = 10.0
    n_user_shards: PositiveInt = 4


class ELSAConfig(Frozen):
    """ELSA (Vančura et al., RecSys 2022), exact linear form."""

    kind: Literal["elsa"] = "elsa"
    n_factors: PositiveInt = 128
    n_epochs: PositiveInt = 15
    batch_size: PositiveInt = 1024
    learning_rate: PositiveFloat = 0.1
    patience: PositiveInt = 3


class TrainingConfig(Frozen):
    """Where and how the model is trained."""

    where: Literal["in_process", "deployment"] = "in_process"
    deployment: str = "train/gpu"
    timeout_seconds: PositiveInt = 6 * 3600
    device: Literal["auto", "cpu", "cuda"] = "auto"
    validation_share: Share = 0.05
    max_validation_users: PositiveInt = 2000
    refit: bool = True


class EvaluationConfig(Frozen):
    """The temporal hold-out that judges challenger, champion and popularity."""

    holdout_days: PositiveInt = 1
    fold_in_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.8
    max_users: PositiveInt = 20_000
    n_bootstrap: PositiveInt = 1000
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95


class GateConfig(Frozen):
    """What a challenger must show against the champion."""

    primary: Literal["recall@20", "recall@50", "ndcg@100"] = "ndcg@100"
    margin: NonNegativeFloat = 0.05  # tolerated relative loss of the primary metric
    min_users: PositiveInt = 100


class TablesConfig(Frozen):
    """What is published."""

    n_top: PositiveInt = 20
    n_similar: PositiveInt = 20
    block_size: PositiveInt = 1024
    max_fallback_share: Share = 0.5
    keep_snapshots: PositiveInt = 7


class MLflowConfig(Frozen):
    """Tracking and registry; without a tracking_uri, SQLite and files inside the lake."""

    tracking_uri: str | None = None
    experiment: str = "hoarfrost"
    registered_model: str = "hoarfrost"


class NightlyConfig(Frozen):
    """Everything a night needs to know besides its run date."""

    lake: str = "lake"
    seed: int = 42
    interactions: InteractionsConfig = InteractionsConfig()
    items: ItemsConfig = ItemsConfig()
    events: dict[str, NonNegativeFloat] = Field(default=EVENT_WEIGHTS, min_length=1)
    validation: ValidationConfig = ValidationConfig()
    history: HistoryConfig = HistoryConfig()
    model: ELSAConfig = ELSAConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    gate: GateConfig = GateConfig()
    tables: TablesConfig = TablesConfig()
    mlflow: MLflowConfig = MLflowConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "://" in self.lake:
            raise ValueError(f"lake must be a local folder, got {self.lake}")
        if not any(self.events.values()):
            raise ValueError("at least one event type must have a weight above 0")
        columns, default = self.interactions.columns, self.interactions.default_event_type
        if columns.event_type is None and default not in self.events:
            raise ValueError(f"default_event_type must be one of the event types, got {default}")
        return self


def load_config(path: Path) -> NightlyConfig:
    """Return the configuration in a TOML file; a relative lake is relative to that file.

    Raises:
        ConfigError: the file is missing, is not TOML, holds an unknown key or a bad value,
            or refers to an environment variable that is not set.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no configuration at {path}: write one with 'hoarfrost init'") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} must be a readable TOML file: {error}") from error
    try:
        config = NightlyConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path} is not a valid configuration\n{_explain(error)}") from error
    lake = Path(resolve(config.lake))
    if config.mlflow.tracking_uri is not None:
        resolve(config.mlflow.tracking_uri)  # an unset variable fails here, the value stays out
    return config.model_copy(update={"lake": str((path.parent / lake).resolve())})


def _explain(error: ValidationError) -> str:
    # include_input=False: a mistyped secret must not be printed back
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in fault["loc"]) or "configuration"
        unknown = fault["type"] == "extra_forbidden"
        lines.append(f"  {where}: {'unknown key, remove it or mend its spelling' if unknown else fault['msg']}")
    return "\n".join(lines)
