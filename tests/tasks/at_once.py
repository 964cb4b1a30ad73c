"""Promote while another process does the same: what test_decision runs in processes of its own."""

from data_contracts.errors import HoarfrostError
from tasks.registry.decision import promote_version

PATIENCE = 120


def promote_at_once(config, version, rounds, barrier, said):
    """Promote when the other one does, round after round; tell what came of it."""
    for number in range(rounds):
        barrier.wait(PATIENCE)
        try:
            promote_version(config, version, f"round {number} by {version}", force=True)
        except HoarfrostError as error:
            said.put((version, error.exit_code, str(error)))
        except Exception as error:  # the test waits for an answer
            said.put((version, 1, repr(error)))
        else:
            said.put((version, 0, ""))
        barrier.wait(PATIENCE)
