"""The way into an S3 bucket: endpoint, keys, patience, and what its refusals mean."""

import os
import re
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from data_contracts.environment import resolve
from data_contracts.errors import ConfigError
from data_contracts.source import SourceConfig

if TYPE_CHECKING:
    from obstore.store import S3Store

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REQUEST_SECONDS = 60
_RETRIES = 1000  # the time limit ends them


def opened(uri: str, source: SourceConfig) -> "S3Store":
    """Return a bucket, and a prefix in it, ready for requests.

    Args:
        uri: s3://bucket or s3://bucket/prefix.
        source: endpoint and keys; what it leaves open says the environment.

    Raises:
        ConfigError: a variable is missing or does not fit, or the extra s3 is not installed.
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    try:
        from obstore.store import S3Store
    except ImportError as error:
        raise ConfigError(f"{uri} needs the extra s3: pip install 'hoarfrost[s3]'") from error
    patience = timedelta(seconds=source.give_up_seconds)
    endpoint = resolve(source.endpoint or "")
    given = _given(source, endpoint)
    try:
        return S3Store(
            bucket,
            prefix=prefix or None,
            checksum_algorithm="sha256",
            client_options={
                "timeout": timedelta(seconds=_REQUEST_SECONDS),
                "allow_http": _plain_http(uri, endpoint),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": patience},
            **given,
        )
    except (_errors().BaseError, ValueError):
        raise ConfigError(
            f"{uri} must be a bucket that the AWS_ variables or [source] fit: check them"
        ) from None


def _given(source: SourceConfig, endpoint: str) -> dict[str, Any]:
    """Return what is configured and stands before the environment."""
    given: dict[str, Any] = {}
    if endpoint:
        given["aws_endpoint_url_s3"] = endpoint  # the one that no variable comes before
    if source.region:
        given["region"] = resolve(source.region)
    if source.access_key_id and source.secret_access_key:
        keys = {
            "access_key_id": resolve(source.access_key_id),
            "secret_access_key": resolve(source.secret_access_key),
            "token": resolve(source.session_token) if source.session_token else None,
            "expires_at": None,
        }
        given["credential_provider"] = lambda: keys  # else AWS_SESSION_TOKEN would be mixed in
    return given


def _errors() -> Any:
    import obstore.exceptions  # an extra

    return obstore.exceptions


def _plain_http(uri: str, endpoint: str) -> bool:
    """Tell whether the endpoint is plain http; keys must not go over a network in the clear."""
    names = (name for name in _ENDPOINTS if os.environ.get(name))
    endpoint = endpoint or next((os.environ[name] for name in names), "")
    if not endpoint.startswith("http://"):
        return False
    allowed = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("true", "1")
    if not allowed and not _is_loopback(urlsplit(endpoint).hostname or ""):
        raise ConfigError(
            f"{uri} must be reached by https, got a plain http endpoint: mend AWS_ENDPOINT_URL, "
            "or set AWS_ALLOW_HTTP=true where the network is your own"
        )
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reason_of(error: Exception) -> tuple[str, str]:
    """Return what is wrong and what to do, without a word of the store's.

    What to do may name {setting}, where the configuration names the bucket.
    """
    text, keys = str(error), "check the AWS_ variables and the rights of their owner"
    if isinstance(error, (_errors().PermissionDeniedError, _errors().UnauthenticatedError)):
        return "the credentials are refused", keys
    if isinstance(error, FileNotFoundError) or "NoSuchBucket" in text:
        return "no such bucket", "make it or mend {setting}"
    if isinstance(error, _errors().InvalidPathError):
        return "a key with an empty part (//) or a dot for one", "rename it"
    status = re.search(r"status code: (\d{3})", text)
    if status and status[1] in ("401", "403"):  # of a listing
        return "the credentials are refused", keys
    if status and status[1] == "301":
        return "the bucket lies in another region", "set AWS_REGION"
    if status:
        return f"it answers {status[1]}", keys if status[1][0] == "4" else "wait until it works"
    if "kind: Connect" in text or "kind: Timeout" in text or "error sending request" in text:
        return "no connection", "check the network and AWS_ENDPOINT_URL"
    return type(error).__name__, "check the network and the AWS_ variables"
