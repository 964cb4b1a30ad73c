"""The place where the log lies: the only choice between local folders and an object store."""

from data_contracts.bucket_pattern import in_bucket
from tasks.lake import Night
from tasks.source.log_source import LogPlace
from tasks.source.log_store_bucket import BucketLog
from tasks.source.log_store_local import LocalLog


def log_place(night: Night) -> LogPlace:
    """Return where the log of a lake lies.

    Raises:
        ConfigError: it lies in an object store that the configuration or the environment does
            not fit, or the extra s3 is not installed.
    """
    if in_bucket(night.config.interactions.files):
        return BucketLog.of(night)
    return LocalLog(night)
