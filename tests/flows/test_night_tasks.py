"""What is tried a second time."""

import pytest
from prefect.client.schemas.objects import State, StateType

from data_contracts.errors import ContractViolationError
from flows.night_tasks import fit, ingest_log, on_os_error


@pytest.mark.parametrize(
    ("error", "again"),
    [(OSError("disk"), True), (ContractViolationError("rows"), False), (ValueError("x"), False)],
)
def test_only_a_lost_disk_or_network_is_tried_again(error, again):
    """A broken contract stays broken."""
    failed = State(type=StateType.FAILED, data=error)
    assert on_os_error(ingest_log, None, failed) is again


def test_training_is_not_tried_again():
    """It goes on from its checkpoint when the night is run again."""
    assert fit.retries == 0
    assert ingest_log.retries == 2
