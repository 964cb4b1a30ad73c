"""What a run leaves behind on other workers when it ends early."""

import logging
from typing import Any

from prefect import Flow, State
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelling

logger = logging.getLogger(__name__)
UNFINISHED = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING]


def stop_children(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Cancel the unfinished child runs of a run that failed, crashed or was cancelled.

    A hook for on_failure, on_crashed and on_cancellation; Prefect calls it by keyword, so the
    names of its arguments are fixed. Without it a training goes on for a night that is over.
    """
    children = FlowRunFilter(
        parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run.id]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)),
    )
    with get_client(sync_client=True) as client:
        for child in client.read_flow_runs(flow_run_filter=children):
            logger.info("%s ended as %s: child %s is cancelled", flow.name, state.name, child.name)
            client.set_flow_run_state(child.id, Cancelling(message="the parent run ended"))
