"""Configuration of where snapshots go besides the lake."""

from typing import Annotated

from pydantic import AfterValidator, PositiveInt

from data_contracts.frozen import Frozen


def _bucket(target: str) -> str:
    place = target.removeprefix("s3://")
    if place == target or place[:1] in ("", "/") or set("@:") & set(place):
        # the value stays out of the message, it may hold a secret
        raise ValueError("target must be s3://bucket or s3://bucket/prefix, without credentials")
    return target


class PublishConfig(Frozen):
    """Where snapshots go besides the lake."""

    target: Annotated[str, AfterValidator(_bucket)] | None = None
    """s3://bucket/prefix that gets every snapshot too; who may write there says the environment."""
    give_up_seconds: PositiveInt = 120
    """Longest time that a request is tried again while the object store does not answer."""
