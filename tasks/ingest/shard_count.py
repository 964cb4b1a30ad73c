"""How many user shards a lake has: as its first night chose, or as configured."""

import math

from data_contracts.errors import ConfigError
from data_contracts.manifests import IngestManifest
from tasks.lake import Night
from tasks.source.log_files import LAYOUT, LogListing, earlier_ingests
from tasks.steps import read_manifest

_SHARD_BYTES = 2**28  # of log a shard in a full window: then a night holds about 1 GB of it
_FEWEST, _MOST = 4, 256


def shard_count(night: Night, listing: LogListing) -> int:
    """Return the number of user shards; the first night foresees a full window of its days.

    Raises:
        ConfigError: history.n_user_shards is not that of earlier nights.
    """
    wanted = night.config.history.n_user_shards
    own = read_manifest(night.step("ingest"), IngestManifest)
    known = [own] if own is not None and own.layout == LAYOUT else []
    earlier = known + earlier_ingests(night)
    if earlier:
        before = earlier[-1]
        if wanted not in (None, before.n_user_shards):
            raise ConfigError(
                f"history.n_user_shards must stay {before.n_user_shards} as in the night of "
                f"{before.run_date}, got {wanted}: leave it out, or start a new lake"
            )
        return before.n_user_shards
    if wanted is not None:
        return wanted
    days = len({file.partition for file in listing.new})
    foreseen = sum(file.bytes for file in listing.new) / max(days, 1)
    foreseen *= night.config.history.window_days
    return min(max(math.ceil(foreseen / _SHARD_BYTES), _FEWEST), _MOST)
