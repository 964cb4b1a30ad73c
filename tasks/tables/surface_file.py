"""Where the lists of a surface lie in a snapshot: a folder per surface, a file per user shard."""

from tasks.lake import shard_name


def surface_path(table: str, surface: str, shard: int) -> str:
    """Return the path of one user shard of top_n or short_lists, relative to the snapshot."""
    return f"{table}/surface={surface}/{shard_name(shard)}.parquet"
