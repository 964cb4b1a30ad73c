"""What a user has seen and is not to be shown again, by event type and age."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import polars as pl
import scipy.sparse as sp

from data_contracts.surface import Hiding, SurfaceConfig
from tasks.history.last_event import STEP, keep_last_events, last_events
from tasks.history.matrix_shard import load_shard
from tasks.history.pair import csr_of_pairs
from tasks.lake import Night
from tasks.steps import content_digest
from tasks.vocabulary.universe import widened


def hiding(night: Night, surface: SurfaceConfig) -> dict[str, Hiding]:
    """Return how long every event type hides its item: those without a word always.

    Event types of weight 0 do not hide by default.
    """
    default = _default(night)
    return {event: surface.seen.get(event, default[event]) for event in default}


def prepare_seen(night: Night, surface: SurfaceConfig) -> None:
    """Make sure that what seen_items reads is there."""
    if hiding(night, surface) != _default(night):
        keep_last_events(night)


def seen_fingerprint(night: Night, surface: SurfaceConfig) -> dict[str, str]:
    """Return the digest of what seen_items reads besides the matrices, if it reads more."""
    if hiding(night, surface) == _default(night):
        return {}
    return {STEP: content_digest(keep_last_events(night))}


def seen_items(
    night: Night, surface: SurfaceConfig, *, shard: int, users: pl.Series, items: pl.DataFrame
) -> sp.csr_array:
    """Return what the users of a shard have seen; shape (n_users, n_items).

    An event of day d hides for N days if the run date lies fewer than N days after d, in the
    zone of the log. With the default policy the entries are those of the history's weights.

    Args:
        night: its histories, as far as they go back (history.window_days).
        surface: says what hides.
        shard: which users.
        users: some or all of them.
        items: item_id and item, the place of each.

    Returns:
        Entries of no particular value, indices sorted.
    """
    policy = hiding(night, surface)
    if policy == _default(night):
        return _of_history(night, shard, users, items.height)
    rows = last_events(night, shard).filter(hides(policy, night.run_date))
    asked = pl.DataFrame({"user_id": users}).with_row_index("user")
    pairs = rows.select("user_id", "item_id").join(asked, on="user_id").join(items, on="item_id")
    return csr_of_pairs(pairs["user"], pairs["item"], shape=(len(users), items.height))


def hides(policy: Mapping[str, Hiding], run_date: date) -> pl.Expr:
    """Return whether a row of event_type and last_day hides its item."""
    event, age = pl.col("event_type"), (pl.lit(run_date) - pl.col("last_day")).dt.total_days()
    always = [name for name, how in policy.items() if how == "always"]
    found = event.is_in(always)
    for name, days in policy.items():
        if isinstance(days, int):
            found |= (event == name) & (age < days)
    return found


def _default(night: Night) -> dict[str, Hiding]:
    return {event: "always" if weight else "never" for event, weight in night.config.events.items()}


def _of_history(night: Night, shard: int, users: pl.Series, n_items: int) -> sp.csr_array:
    arrays = load_shard(night.step("matrices"), shard)
    X = widened(arrays.full, n_items)
    if users.equals(arrays.users):
        return X
    asked = pl.DataFrame({"user_id": users}).with_row_index("user")
    known = pl.DataFrame({"user_id": arrays.users}).with_row_index("row")
    found = asked.join(known, on="user_id", how="left", maintain_order="left")["row"]
    empty = sp.csr_array((1, n_items), dtype=X.dtype)  # for users without a history
    row = found.fill_null(len(arrays.users)).to_numpy().astype(np.int64)
    return sp.csr_array(sp.vstack([X, empty], format="csr")[row])
