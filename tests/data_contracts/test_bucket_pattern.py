"""Patterns of an object store, and access to it: what is taken, which secrets are not repeated."""

import pytest
from pydantic import ValidationError

from data_contracts.bucket_pattern import bucket_and_key, in_bucket
from data_contracts.config import InteractionsConfig, ItemsConfig
from data_contracts.source import SourceConfig

SECRET = "sWordfish"


@pytest.mark.parametrize(
    "files",
    [
        "interactions/date={date}/*.parquet",
        "/data/{date}.parquet",
        "s3://logs/{date}.parquet",
        "s3://${BUCKET}/shop/date={date}/*.parquet",
    ],
)
def test_local_and_s3_patterns_are_taken_as_they_are(files):
    """Hive or flat, and with variables."""
    assert InteractionsConfig(files=files).files == files
    assert in_bucket(files) == files.startswith("s3://")


@pytest.mark.parametrize(
    "files",
    [
        f"gs://{SECRET}/{{date}}.parquet",
        f"https://{SECRET}/{{date}}.parquet",
        "s3://{date}",
        "s3:///{date}.parquet",
        "s3://logs-{date}/part.parquet",
        "s3://log*/{date}.parquet",
        f"s3://key:{SECRET}@logs/{{date}}.parquet",
    ],
)
def test_other_places_are_refused_without_being_repeated(files):
    """A secret that was put there by mistake must not be printed back."""
    with pytest.raises(ValidationError, match=r"files .*s3://bucket") as told:
        InteractionsConfig(files=files)
    (fault,) = told.value.errors(include_url=False, include_input=False)
    assert SECRET not in str(fault)


def test_day_is_needed_in_a_bucket_too():
    """As in a folder."""
    with pytest.raises(ValidationError, match=r"must hold \{date\} once"):
        InteractionsConfig(files="s3://logs/all.parquet")


def test_catalogue_needs_no_day():
    """But a bucket, and a key in it."""
    assert ItemsConfig(files="s3://logs/items.parquet").files == "s3://logs/items.parquet"
    with pytest.raises(ValidationError, match="s3://bucket/pattern"):
        ItemsConfig(files="s3://logs")


def test_bucket_is_told_from_the_keys():
    """The key is all behind the first slash."""
    assert bucket_and_key("s3://logs/a/{date}/*.parquet") == ("s3://logs", "a/{date}/*.parquet")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"access_key_id": SECRET, "secret_access_key": "${B}"}, r"such as \$\{LOG_SECRET\}"),
        ({"access_key_id": "${A}", "secret_access_key": SECRET}, r"such as \$\{LOG_SECRET\}"),
        ({"access_key_id": "${A}"}, "must be given together"),
        ({"session_token": "${A}"}, "must come with"),
        ({"endpoint": f"https://me:{SECRET}@s3.example.com"}, "without keys"),
        ({"endpoint": f"{SECRET}.example.com"}, "must be an address"),
    ],
)
def test_keys_come_from_the_environment_alone(values, reason):
    """What was written out by mistake is not printed back."""
    with pytest.raises(ValidationError, match=reason) as told:
        SourceConfig(**values)
    for fault in told.value.errors(include_url=False, include_input=False):
        assert SECRET not in fault["msg"]
    assert SourceConfig(access_key_id="${A}", secret_access_key="${B}").give_up_seconds > 0
