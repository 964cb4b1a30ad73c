"""The process of one compared model: choose, fit and rank it, and leave its figures behind.

``python -m tasks.compare.compare_fit FOLDER`` reads FOLDER/job.json. It writes the metrics of every
user to per_user.parquet and then the rest to fit.json, or a sentence to problem.json. It ends when
its standard input does, so that no model outlives the comparison that waits for it.
"""

import hashlib
import logging
import os
import re
import resource
import sys
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.comparison import CompareJob, FitProblem, ModelFit
from data_contracts.errors import HoarfrostError
from models.fitted_model import FittedModel, topped_up
from models.metric.exposure import coverage_per_user
from models.metric.metric import hit_matrix, ndcg, plain_recall, rank_lists, recall
from models.model_arrays import arrays_of
from tasks.evaluating.evaluating import choose_model
from tasks.evaluating.fixed_split import AskedRows, TrainRows, read_test, read_train
from tasks.evaluating.rating_figures import sums_per_user
from tasks.files import move_file, staged_path, write_text
from tasks.plain_error import hide_values
from tasks.training.device import choose_device
from tasks.training.fit_data import FitData
from tasks.training.fitting import fit_model
from tasks.training.item_content import file_content
from tasks.training.model_memory import refuse_large_model

JOB, FIT, PROBLEM, PER_USER = "job.json", "fit.json", "problem.json", "per_user.parquet"
USER = "user_id"
SUMS = ("sum_of_squared_errors", "sum_of_absolute_errors", "n_ratings")  # of a model of ratings
_WARM_UP = 16  # users
PerUser = dict[str, np.ndarray]


def fit_job(job: CompareJob, folder: Path) -> ModelFit:
    """Choose, fit and rank a model; leave the metrics of every judged user in the folder.

    Raises:
        ConfigError: the settings do not fit, a package is missing, or the model is too large.
        ContractViolationError: a file is not as it must be.
        TooLittleDataError: there is nobody to validate on.
    """
    file = job.file
    rows = read_train(Path(job.train), file.model.consumes)
    asked = read_test(Path(job.test), rows)
    device = choose_device(file.training.device)
    refuse_large_model(file.model, rows.X.shape[1], file.training_config)
    catalogue = None if job.items is None else Path(job.items)
    content = file_content(catalogue, file.model, rows.item_ids, seed=file.seed)
    choice = choose_model(rows.X, file, Path(job.storage), device=device, content=content)
    started = time.monotonic()
    model = fit_model(
        FitData(rows.X, None, content), choice.model, n_epochs=choice.n_epochs, seed=file.seed,
        device=device,
    )  # fmt: skip
    train_seconds = time.monotonic() - started
    _lists(model, rows.X, asked.user[:_WARM_UP])  # compiles the loops
    started = time.monotonic()
    items = _lists(model, rows.X, asked.user)
    rank_seconds = time.monotonic() - started
    values = per_user_metrics(items, asked) | _rating_sums(model, rows, asked)
    _write_per_user(folder / PER_USER, rows, asked, values)
    return ModelFit(
        key=job.key, model=choice.model.model_dump(), searched=choice.searched,
        n_trials=choice.n_trials, best_epoch=choice.n_epochs,
        search_limit=None if file.tune is None else file.tune.timeout_seconds,
        validation_users=choice.validation_users, validation_ndcg=choice.ndcg,
        validation_rmse=choice.rmse,
        search_seconds=round(choice.seconds, 3), train_seconds=round(train_seconds, 3),
        rank_seconds=round(rank_seconds, 3), peak_memory_mb=_peak_memory_mb(),
        model_mb=_model_mb(model), lists_digest=hashlib.sha256(items.tobytes()).hexdigest()[:16],
        device=device, seed=file.seed,
    )  # fmt: skip


def per_user_metrics(items: np.ndarray, asked: AskedRows) -> PerUser:
    """Return one value per judged user and metric; the mean of each is the metric.

    Args:
        items: lists of 100 items, padded with -1, shape (n_judged, 100).
        asked: what is asked of these users.
    """
    hit, n_targets = hit_matrix(items, asked.target), asked.n_targets
    return {
        "recall@20": recall(hit, n_targets, k=20),
        "recall@50": recall(hit, n_targets, k=50),
        "plain_recall@20": plain_recall(hit, n_targets, k=20),
        "plain_recall@50": plain_recall(hit, n_targets, k=50),
        "ndcg@20": ndcg(hit, n_targets, k=20),
        "ndcg@100": ndcg(hit, n_targets, k=100),
        "coverage@20": coverage_per_user(items[:, :20], asked.target.shape[1]),
    }


def _rating_sums(model: FittedModel, rows: TrainRows, asked: AskedRows) -> PerUser:
    sums = sums_per_user(model, rows, asked)
    return {} if sums is None else dict(zip(SUMS, sums, strict=True))


def _lists(model: FittedModel, X: sp.csr_array, user: np.ndarray) -> np.ndarray:
    n_items = X.shape[1]
    ranked = topped_up(model, np.bincount(X.indices, minlength=n_items))
    eligible = np.ones(n_items, dtype=bool)
    return rank_lists(ranked, fold_in=X[user], eligible=eligible)


def _model_mb(model: FittedModel) -> float:
    return round(sum(each.nbytes for each in arrays_of(model).arrays.values()) / 1e6, 3)


def _peak_memory_mb() -> float:
    """Return the peak of this process; getrusage also knows that of whoever started it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return round(int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 2**10, 1)
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def _write_per_user(path: Path, rows: TrainRows, asked: AskedRows, values: PerUser) -> None:
    frame = pl.DataFrame({USER: rows.user_ids.gather(asked.user), **values})
    staged = staged_path(path)
    frame.write_parquet(staged)
    move_file(staged, path)


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written: it returns at the end
    os._exit(1)


def _told(error: Exception) -> FitProblem:
    if isinstance(error, HoarfrostError):
        return FitProblem(kind=type(error).__name__, message=str(error))
    lines = str(hide_values(error)).splitlines() or ["no more is known"]
    return FitProblem(kind=type(error).__name__, message=f"{type(error).__name__}: {lines[0]}")


def main() -> None:
    """Do the job of a folder; end with 1 and a sentence in problem.json if it fails."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.WARNING)
    for name in ("tasks", "models"):
        logging.getLogger(name).setLevel(logging.INFO)
    folder = Path(sys.argv[1])
    job = CompareJob.model_validate_json((folder / JOB).read_text(encoding="utf-8"))
    try:
        fit = fit_job(job, folder)
    except Exception as error:  # the other models of the table go on
        write_text(folder / PROBLEM, _told(error).model_dump_json())
        sys.exit(1)
    write_text(folder / FIT, fit.model_dump_json(indent=2) + "\n")


if __name__ == "__main__":
    main()
