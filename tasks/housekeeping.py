"""Keep the state of a lake from growing with the number of nights."""

import logging

from tasks.lake import Night, night_folder, nights
from tasks.steps import MANIFEST

logger = logging.getLogger(__name__)
REMADE = ("history", "last_events", "matrices", "materialise")  # from the ingests of all nights
N_KEPT = 2  # newest nights


def drop_old_state(night: Night) -> int:
    """Remove the files of old nights that can be made again; return how many.

    Manifests stay, so it is known what a night did; a night that is run again finds its
    files missing and makes them anew.
    """
    old = [day for day in nights(night.lake) if day < night.run_date][: -(N_KEPT - 1)]
    n_removed = 0
    for day in old:
        for step in REMADE:
            for path in (night_folder(night.lake, day) / step).rglob("*"):
                if path.is_file() and path.name != MANIFEST:
                    path.unlink()
                    n_removed += 1
    if n_removed:
        logger.info("housekeeping: %d files of %d old nights removed", n_removed, len(old))
    return n_removed
