"""The steps of a night as Prefect sees them: named, retried when disk or network fail, not cached.

Finished work is kept by the steps' own manifests, so Prefect's results stay off.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from tasks.day_rules.log_drift import compare_log
from tasks.day_rules.table_rules import judge_day
from tasks.history.history import build_history
from tasks.history.matrix import build_matrices
from tasks.housekeeping import drop_old_state
from tasks.ingest.ingest import ingest
from tasks.judging.judging import judge_model
from tasks.lists.checking import check_lists
from tasks.lists.drift import compare_lists
from tasks.plain_error import values_hidden
from tasks.planning.durations import recorded
from tasks.planning.plan import keep_plan
from tasks.registry.promotion import promote_model
from tasks.report.reporting import keep_page, report_night
from tasks.snapshot.snapshot import publish_snapshot
from tasks.tables.materialising import materialise_tables
from tasks.training.training import train_model

P = ParamSpec("P")
R = TypeVar("R")


def on_os_error(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Retry only what a second try can mend: a broken contract fails at once."""
    return isinstance(state.result(raise_on_failure=False), OSError)


def _night_task(
    function: Callable[P, R], *, retries: int = 2, step: str | None = None
) -> Task[P, R]:
    return Task(
        recorded(values_hidden(function), step),
        name=function.__name__.replace("_", "-"),
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=retries,
        retry_delay_seconds=[2.0, 10.0][:retries],
        retry_condition_fn=on_os_error,
    )


plan = _night_task(keep_plan)
ingest_log = _night_task(ingest)
judge_rules = _night_task(judge_day)
log_drift = _night_task(compare_log)
update_history = _night_task(build_history)
build = _night_task(build_matrices)
fit = _night_task(train_model, retries=0)
judge = _night_task(judge_model)
promote = _night_task(promote_model)
materialise = _night_task(materialise_tables)
check = _night_task(check_lists)
compare = _night_task(compare_lists, step="compare")
publish = _night_task(publish_snapshot)
tidy = _night_task(drop_old_state)
report = _night_task(report_night)
page = _night_task(keep_page)
