"""Nights of a range, one after the other, in one process with one Prefect server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from data_contracts.backfill import BackfilledNight
from data_contracts.config import NightlyConfig
from data_contracts.errors import GateRejectedError
from data_contracts.report import NightReport
from tasks.lake import Night
from tasks.nights.backfill import finish, finished_report, first_open, open_from, refuse_hindsight


def backfill(
    config: NightlyConfig, days: list[date], *, strict: bool = False
) -> Iterator[BackfilledNight]:
    """Yield the nights of some days in their order, each when it is done.

    A night that is published under this configuration is passed over; once one had to be run,
    so are all after it, whose finished steps are used again where nothing they saw has changed.

    Args:
        config: the lake and all settings.
        days: run dates, in order.
        strict: stop after a night whose challenger was rejected.

    Raises:
        HoarfrostError: what the failing night raises.
    """
    for day in days:
        started = time.monotonic()
        done = _finished(config, day)
        report = done or _run(config, day)
        seconds = round(time.monotonic() - started, 2)
        yield _line(report, seconds, passed_over=done is not None)
        if strict and report.verdict == "reject":  # its tables are published all the same
            raise GateRejectedError(f"the challenger was rejected: {report.reason}")


def _finished(config: NightlyConfig, day: date) -> NightReport | None:
    night = Night(config=config, run_date=day)
    unsure = first_open(night.lake)
    return None if unsure is not None and day >= unsure else finished_report(night)


def _run(config: NightlyConfig, day: date) -> NightReport:
    from flows.nightly import nightly  # slow to import: nights that are done need no Prefect

    night = Night(config=config, run_date=day)
    refuse_hindsight(night.lake, day)
    open_from(night.lake, day)
    with _local_settings():
        report = nightly(config, day)
    finish(night.lake, day)
    return report


def _line(report: NightReport, seconds: float, *, passed_over: bool) -> BackfilledNight:
    return BackfilledNight(
        run_date=report.run_date, verdict=report.verdict, reason=report.reason,
        champion_version=report.champion_version, snapshot=report.snapshot,
        passed_over=passed_over, seconds=seconds,
    )  # fmt: skip


@contextmanager
def _local_settings() -> Iterator[None]:
    """Spare runs on a temporary server a heartbeat that takes 0.5 s to end."""
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    if PREFECT_API_URL.value():
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
