"""Look an installation over: packages, machine and lake, and say what to do where it lacks."""

import logging

from data_contracts.config import NightlyConfig
from data_contracts.health import Health
from tasks.doctor.doctor_lake import lake_findings
from tasks.doctor.doctor_machine import machine_findings
from tasks.doctor.doctor_packages import package_findings

logger = logging.getLogger(__name__)


def examine(config: NightlyConfig | None, *, prefect_api: str | None = None) -> Health:
    """Return what is well and what is not; nothing is changed.

    Args:
        config: of a lake; without one only packages and machine are looked at.
        prefect_api: address of Prefect's API, if one is set.
    """
    findings = [*package_findings(), *machine_findings(config)]
    if config is not None:
        findings += lake_findings(config, prefect_api=prefect_api)
    return Health(findings=tuple(findings))
