"""Configuration of access to the object store that log, catalogue and lists are read from."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, PositiveInt, model_validator

from data_contracts.frozen import Frozen


def _reference(value: str) -> str:
    if not re.fullmatch(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", value):
        # the value stays out of the message, it may be the secret itself
        raise ValueError("keys must name a variable of the environment, such as ${LOG_SECRET}")
    return value


def _address(value: str) -> str:
    if "@" in value or not value.startswith(("https://", "http://", "${")):
        raise ValueError("endpoint must be an address such as https://s3.example.com, without keys")
    return value


Secret = Annotated[str, AfterValidator(_reference)]


class SourceConfig(Frozen):
    """Access to s3:// patterns of log, catalogue and lists; by default the AWS_ variables."""

    endpoint: Annotated[str, AfterValidator(_address)] | None = None
    """Address of the store; by default that of AWS_ENDPOINT_URL, or Amazon's."""
    region: str | None = None
    """Region of the buckets; by default AWS_REGION."""
    access_key_id: Secret | None = None
    """Such as ${LOG_KEY}, where the log has other keys than the tables."""
    secret_access_key: Secret | None = None
    """Such as ${LOG_SECRET}."""
    session_token: Secret | None = None
    """Such as ${LOG_TOKEN}, for keys that expire."""
    give_up_seconds: PositiveInt = 120
    """Longest time that a request is tried again while the store does not answer."""

    @model_validator(mode="after")
    def _keys_together(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key must be given together")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("session_token must come with access_key_id and secret_access_key")
        return self
