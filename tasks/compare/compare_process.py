"""One model of a comparison in a process of its own: started, waited for, and what became of it."""

import logging
import signal
import subprocess
import sys
from pathlib import Path

from pydantic import ValidationError

from data_contracts.comparison import CompareJob, FitProblem, ModelFit
from data_contracts.tuning import TuneConfig
from tasks.compare.compare_fit import FIT, JOB, PER_USER, PROBLEM
from tasks.files import empty_folder, write_text

logger = logging.getLogger(__name__)
LOG = "log.txt"
_COMMAND = (
    sys.executable,
    "-P",
    "-m",
    "tasks.compare.compare_fit",
)  # -P: not a folder of that name here


def finished_fit(folder: Path, job: CompareJob) -> ModelFit | None:
    """Return what a process with the same job has left, if it is finished.

    Time is no part of the job, but a search that ran out of it is not finished for a job that
    gives it more.
    """
    try:
        fit = ModelFit.model_validate_json((folder / FIT).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None
    if fit.key != job.key or not (folder / PER_USER).is_file():
        return None
    return fit if _is_searched(fit, job.file.tune) else None


def _is_searched(fit: ModelFit, tune: TuneConfig | None) -> bool:
    if tune is None or fit.search_limit is None or fit.n_trials >= tune.n_trials:
        return True
    return tune.timeout_seconds is not None and tune.timeout_seconds <= fit.search_limit


def run_job(job: CompareJob, folder: Path, *, timeout: float | None) -> ModelFit | str:
    """Return the fit of a model, or a sentence that says why there is none.

    Args:
        job: what is fitted.
        folder: of this model alone; a finished fit with the same key in it is used again.
        timeout: seconds after which the process is stopped, if any.
    """
    finished = finished_fit(folder, job)
    if finished is not None:
        logger.info("%s: finished before, used again", job.name)
        return finished
    write_text(empty_folder(folder) / JOB, job.model_dump_json(indent=2) + "\n")
    code = _wait(folder, timeout)
    fit = finished_fit(folder, job) if code == 0 else None
    return _problem(folder, code, timeout) if fit is None else fit


def _wait(folder: Path, timeout: float | None) -> int | None:
    """Return the exit code of the process, None if its time was over."""
    with (
        (folder / LOG).open("wb") as log,
        subprocess.Popen(
            [*_COMMAND, str(folder)], stdin=subprocess.PIPE, stdout=log, stderr=log
        ) as process,
    ):
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            process.kill()


def _problem(folder: Path, code: int | None, timeout: float | None) -> str:
    if code is None:
        return (
            f"took more than {timeout:g} s and was stopped: allow more (--timeout); trials that "
            "are finished are used again"
        )
    try:
        text = (folder / PROBLEM).read_text(encoding="utf-8")
        return FitProblem.model_validate_json(text).message
    except (FileNotFoundError, ValidationError):
        return _ending(code) + f"; what it last said is in {LOG} of its folder"


def _ending(code: int) -> str:
    if code >= 0:
        return f"its process ended early with exit code {code}"
    name = signal.Signals(-code).name
    why = ", as the system does when memory runs out" * (-code == signal.SIGKILL)
    return f"its process was ended by {name}{why}"
