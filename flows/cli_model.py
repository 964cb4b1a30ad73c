"""The commands about models alone: how good one is, and which is best."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from data_contracts.config import load_config
from data_contracts.errors import ConfigError
from data_contracts.model_file import load_model_file
from data_contracts.tuning import TuneConfig
from flows import display_model
from flows.flag import DEFAULT_CONFIG, Day, Json, run_date

Pairs = Annotated[
    Path,
    Parameter(help="Parquet file with user_id, item_id; rating or timestamp for a kind that asks"),
]
Items = Annotated[
    Path | None,
    Parameter(help="Parquet file with item_id and title, category or text, for elsa_content"),
]
Given = Annotated[
    Path | None,
    Parameter(
        help="Parquet file as train: what the judged users had before, who are then not in train"
    ),
]
Storage = Annotated[
    Path | None, Parameter(help="SQLite file of the search; by default beside the model file")
]


def evaluate(
    *,
    train: Pairs,
    test: Pairs,
    config: Annotated[Path | None, Parameter(help="model file; by default all defaults")] = None,
    items: Items = None,
    histories: Given = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Tell how well a model ranks on a fixed split; the test file chooses nothing.

    Example: hoarfrost evaluate --train train.parquet --test test.parquet --config model.toml

    Example, of users that the model never met: hoarfrost evaluate --train train.parquet
    --histories histories.parquet --test test.parquet --config model.toml
    """
    from tasks.evaluating.evaluating import evaluate_files

    file = load_model_file(config)
    kept = storage or _beside(config)
    found = evaluate_files(train, test, file, kept, items=items, histories=histories)
    display_model.evaluation(found, as_json=json)


def tune(
    *,
    config: Annotated[
        Path | None, Parameter(help="model file with --train, a lake's configuration without")
    ] = None,
    train: Annotated[Path | None, Parameter(help="Parquet file; without it a lake's rows")] = None,
    day: Annotated[Day, Parameter(name="--date")] = None,
    items: Items = None,
    trials: Annotated[int | None, Parameter(help="trials in all, earlier calls included")] = None,
    out: Annotated[Path | None, Parameter(help="model file to write the best model to")] = None,
    storage: Storage = None,
    mlflow: Annotated[str | None, Parameter(help="MLflow that logs the trials of a file")] = None,
    json: Json = False,
) -> None:
    """Search hyper-parameters on users held out of train; a repeated call goes on.

    Example: hoarfrost tune --train train.parquet --config model.toml --trials 30 --out best.toml
    """
    from tasks.evaluating.tuned_model import tune_file, tune_lake
    from tasks.lake import Night

    if out is not None and out == config:
        raise ConfigError(f"--out must not be the file that is read, got {out}")
    if train is not None:
        if day is not None:
            raise ConfigError("--date is for a lake: leave it out with --train")
        file = load_model_file(config)
        file = file.model_copy(update={"tune": _trials(file.tune or TuneConfig(), trials)})
        kept = storage or _beside(config)
        tuning = tune_file(train, file, kept, mlflow_uri=mlflow, out=out, items=items)
    else:
        if storage is not None or mlflow is not None or items is not None:
            raise ConfigError(
                "--storage, --mlflow and --items are for a file: leave them out for a lake"
            )
        loaded = load_config(config or DEFAULT_CONFIG)
        searched = loaded.model_copy(update={"tune": _trials(loaded.tune, trials)})
        tuning = tune_lake(Night(config=searched, run_date=run_date(day, loaded)), out=out)
    display_model.tuning(tuning, as_json=json)


def _beside(config: Path | None) -> Path:
    return Path("tuning.db") if config is None else config.with_suffix(".tuning.db")


def _trials(tune: TuneConfig, trials: int | None) -> TuneConfig:
    if trials is not None and trials < 1:
        raise ConfigError(f"--trials must be at least 1, got {trials}")
    return tune if trials is None else tune.model_copy(update={"n_trials": trials})
