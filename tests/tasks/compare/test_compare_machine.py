"""What a comparison says of the machine."""

import os

import pytest

from tasks.compare.compare_machine import this_machine


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_cores_are_those_that_may_be_used():
    """A process that is held to one core was measured on one."""
    allowed = os.sched_getaffinity(0)
    assert this_machine().n_cores == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert this_machine().n_cores == 1
    finally:
        os.sched_setaffinity(0, allowed)
