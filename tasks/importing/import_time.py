"""Times as foreign files write them, as moments in UTC."""

import polars as pl

from data_contracts.errors import ConfigError

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_ISO = (
    r"^\s*(?<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?<minute>\d{2}:\d{2})(?<second>:\d{2})?(?:[.,](?<fraction>\d+))?)?"
    r"\s*(?<zone>Z|[+-]\d{2}:?\d{2})?\s*$"
)
_MOST_SECONDS = 9_223_372_036  # of both signs: what nanoseconds in 64 bits can say


def read_times(texts: pl.Series, time: str, zone: str) -> pl.Series:
    """Return moments in UTC, microseconds; null where a text is no time.

    Args:
        texts: what the file says.
        time: "iso", a unit since 1970 (s, ms, us, ns) or a pattern of strptime.
        zone: of times that carry none. Of an hour that comes twice the first is meant; one that
            the zone leaves out is no time.

    Raises:
        ConfigError: the pattern is none.
    """
    if time in _PER_SECOND:
        return _from_numbers(texts, _PER_SECOND[time])
    if time == "iso":
        return _from_iso(texts, zone)
    try:
        times = texts.str.to_datetime(time, time_unit="us", strict=False)
    except pl.exceptions.PolarsError as error:
        raise ConfigError(
            f"--time must be iso, s, ms, us, ns or a pattern such as '%d.%m.%Y %H:%M', got {time}"
        ) from error
    return _in_utc(times, zone)


def _from_numbers(texts: pl.Series, per_second: int) -> pl.Series:
    text = pl.col("text").str.strip_chars()
    whole, number = text.cast(pl.Int64, strict=False), text.cast(pl.Float64, strict=False)
    most = _MOST_SECONDS * per_second
    whole = pl.when((whole >= -most) & (whole < most)).then(whole)
    number = pl.when((number >= -most) & (number < most)).then(number)  # false for NaN
    exact = (
        whole * (1_000_000 // per_second)
        if per_second <= 1_000_000
        else whole // (per_second // 1_000_000)
    )
    near = (number * (1_000_000 / per_second)).round().cast(pl.Int64)
    micros = pl.coalesce(exact, near)
    return texts.to_frame("text").select(micros.cast(pl.Datetime("us", "UTC"))).to_series()


def _from_iso(texts: pl.Series, zone: str) -> pl.Series:
    parts = texts.str.extract_groups(_ISO).struct.unnest()
    said = parts.select(
        pl.col("day") + " " + pl.col("minute").fill_null("00:00")
        + pl.col("second").fill_null(":00"),
    ).to_series().str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)  # fmt: skip
    fraction = parts["fraction"].fill_null("0").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64)
    said = said + fraction.cast(pl.Duration("us"))
    offset = parts["zone"].str.replace(":", "", literal=True).str.replace("Z", "+0000")
    minutes = offset.str.slice(1, 2).cast(pl.Int64) * 60 + offset.str.slice(3, 2).cast(pl.Int64)
    minutes = minutes * pl.Series([1, -1]).gather(offset.str.starts_with("-").cast(pl.UInt32))
    fixed = (said - (minutes * 60_000_000).cast(pl.Duration("us"))).dt.replace_time_zone("UTC")
    return _in_utc(said, zone).zip_with(offset.is_null(), fixed)


def _in_utc(times: pl.Series, zone: str) -> pl.Series:
    if getattr(times.dtype, "time_zone", None) is None:
        times = times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return times.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
