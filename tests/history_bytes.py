"""Everything that readers of a history get, to be compared byte for byte."""

from pathlib import Path
from typing import Any

from tasks.history.history_event import history_items
from tasks.history.history_shard import n_shards, open_shard


def history_bytes(folder: Path) -> tuple[Any, ...]:
    """Return items, users and the arrays of all user shards of a history."""
    shards = [open_shard(folder, number) for number in range(n_shards(folder))]
    arrays = [values.tobytes() for each in shards for values in each.pairs if values is not None]
    return history_items(folder).to_list(), [each.users.to_list() for each in shards], arrays
