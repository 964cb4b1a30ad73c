"""Tell which events are a bot's: more of one user on one day than anybody has."""

import numpy as np
import polars as pl

from models.event.event_log import Ordered, marked_by_user, users_of
from tasks.lake import Night


def of_bots(order: Ordered, single: np.ndarray, night: Night) -> np.ndarray:
    """Tell for every row whether its user has too many on its day; shape (n_rows,) bool.

    Args:
        order: rows by user.
        single: the rows that count, shape (n_rows,) bool, each event once: a log that is
            delivered twice makes nobody a bot.
        night: the limit, and the time zone of a day.
    """
    most = night.config.validation.max_events_per_user_day
    found = np.zeros(len(single), bool)
    busy = marked_by_user(order.ends, single) > most
    if not busy.any():
        return found
    user = users_of(order)
    suspects = np.flatnonzero(single & busy[user])
    moment = pl.Series("moment", order.moment[suspects]).cast(pl.Datetime("us", "UTC"))
    events = pl.DataFrame({"user": user[suspects], "moment": moment})
    zone = night.config.interactions.time_zone
    day = pl.col("moment").dt.convert_time_zone(zone).dt.date()
    found[suspects] = events.select(pl.len().over("user", day) > most).to_series().to_numpy()
    return found
