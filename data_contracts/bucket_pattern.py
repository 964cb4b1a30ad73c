"""Patterns of files in an object store: s3://bucket/key, with *, ? and {date} in the key alone."""

_SCHEME = "s3://"


def in_bucket(pattern: str) -> bool:
    """Tell whether a pattern names objects of a store and not local files."""
    return pattern.startswith(_SCHEME)


def known_place(pattern: str) -> str:
    """Return a pattern of local files, or of objects under s3://bucket.

    Raises:
        ValueError: it names another kind of store, no bucket, or holds credentials; the
            pattern stays out of the message, it may hold a secret.
    """
    if not in_bucket(pattern):
        if "://" in pattern:
            raise ValueError("files must be local, or lie under s3://bucket, got another scheme")
        return pattern
    bucket, _, key = pattern.removeprefix(_SCHEME).partition("/")
    if not bucket or not key or set("@:*?[") & set(bucket) or "{date}" in bucket:
        raise ValueError(
            "files in an object store must be s3://bucket/pattern, without credentials"
        )
    return pattern


def bucket_and_key(pattern: str) -> tuple[str, str]:
    """Return s3://bucket, and the pattern of the keys in it."""
    bucket, _, key = pattern.removeprefix(_SCHEME).partition("/")
    return f"{_SCHEME}{bucket}", key
