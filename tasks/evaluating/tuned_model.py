"""Tune the model of a file or of a lake, and write the best one down."""

import dataclasses
import logging
from pathlib import Path

import scipy.sparse as sp

from data_contracts.config import MLflowConfig, NightlyConfig
from data_contracts.errors import HoarfrostError
from data_contracts.model_file import ModelFile, model_file_of
from data_contracts.tuning_result import Tuning
from tasks.evaluating.fixed_split import read_train
from tasks.evaluating.tuning import Search, prepare_search, run_search
from tasks.files import write_text
from tasks.history.matrix import finished_matrices
from tasks.history.row_values import training_rows
from tasks.lake import Night
from tasks.training.device import choose_device
from tasks.training.fit_data import ItemContent
from tasks.training.item_content import file_content, night_content

logger = logging.getLogger(__name__)


def tune_file(
    train: Path,
    file: ModelFile,
    storage: Path,
    *,
    mlflow_uri: str | None,
    out: Path | None,
    items: Path | None = None,
) -> Tuning:
    """Return the best model for the rows of a Parquet file with user_id and item_id.

    Args:
        train: the rows; users held out of them judge the trials.
        file: the model and its search.
        storage: SQLite file in which the search is kept.
        mlflow_uri: an MLflow server or database in which trials are logged, if any.
        out: a model file to write, if any.
        items: Parquet file of a catalogue, for a model that learns with content of items.

    Raises:
        ConfigError: the file is missing, or the settings do not fit.
        ContractViolationError: the file is not as it must be.
        TooLittleDataError: the file is empty, or there is nobody to validate on.
    """
    rows = read_train(train, file.model.consumes)
    content = file_content(items, file.model, rows.item_ids, seed=file.seed)
    search = _prepare(rows.X, file, storage, content)
    logged = None if mlflow_uri is None else MLflowConfig(tracking_uri=mlflow_uri)
    return _tune(search, None if logged is None else NightlyConfig(mlflow=logged), out)


def tune_lake(night: Night, *, out: Path | None) -> Tuning:
    """Return the best model for the training rows of a night whose matrices are finished.

    Every trial is logged to the lake's MLflow.

    Raises:
        ConfigError: the settings do not fit.
        HoarfrostError: the night has no matrices.
        TooLittleDataError: there is nothing to train on, or nobody to validate on.
    """
    try:
        matrices = finished_matrices(night)
    except HoarfrostError as error:
        raise HoarfrostError(
            f"{error}: make them with 'hoarfrost run --date {night.run_date}'"
        ) from error
    folder, content = night.state / "tuning", night_content(night, matrices)
    search = _prepare(training_rows(night, matrices), model_file_of(night.config), folder, content)
    kept = dataclasses.replace(search, storage=folder / f"{search.name}.db")
    return _tune(kept, night.config, out)


def _prepare(
    X: sp.csr_array, file: ModelFile, storage: Path, content: ItemContent | None
) -> Search:
    device = choose_device(file.training.device)
    return prepare_search(X, file, storage, device=device, content=content)


def _tune(search: Search, mlflow: NightlyConfig | None, out: Path | None) -> Tuning:
    tuning = run_search(search, mlflow)
    if out is None:
        return tuning
    write_text(out, tuning.model_file)
    logger.info("tune: wrote %s", out)
    return tuning.model_copy(update={"out": str(out)})
