"""Every error a user can meet, and the exit code a script sees.

HoarfrostError (1)
├── ConfigError (2)             the configuration or the command line is wrong
├── ContractViolationError (3)  the data break a contract
├── TooLittleDataError (4)      a day is missing, empty or suspiciously small
├── GateRejectedError (5)       the challenger was refused (--strict, or there is no champion)
└── LakeLockedError (6)         another night works on the same lake
"""

from typing import ClassVar


class HoarfrostError(Exception):
    """A failure explained to the user without a traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(HoarfrostError):
    """The configuration or the command line is wrong."""

    exit_code = 2


class ContractViolationError(HoarfrostError):
    """The data break a contract."""

    exit_code = 3


class TooLittleDataError(HoarfrostError):
    """A day of the log is missing, empty or suspiciously small."""

    exit_code = 4


class GateRejectedError(HoarfrostError):
    """The challenger was refused and there is nothing else to publish, or --strict was given."""

    exit_code = 5


class LakeLockedError(HoarfrostError):
    """Another night works on the same lake."""

    exit_code = 6
