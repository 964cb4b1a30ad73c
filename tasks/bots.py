"""Tell which events are a bot's: more of one user on one day than anybody has."""

import polars as pl

from tasks.lake import Night


def of_bots(events: pl.DataFrame, night: Night) -> pl.Series:
    """Tell for every event whether its user has too many on its day; shape (n_rows,) bool.

    Args:
        events: user_id and timestamp, each event once: a log that is delivered twice makes
            nobody a bot.
        night: the limit, and the time zone of a day.
    """
    most = night.config.validation.max_events_per_user_day
    busy = events.group_by("user_id").len().filter(pl.col("len") > most)["user_id"]
    if not len(busy):
        return pl.repeat(value=False, n=events.height, eager=True)
    suspects = events["user_id"].is_in(busy.implode())
    zone = night.config.interactions.time_zone
    day = pl.col("timestamp").dt.convert_time_zone(zone).dt.date()
    theirs = events.filter(suspects).select(pl.len().over("user_id", day) > most).to_series()
    return suspects.scatter(suspects.arg_true(), theirs)
