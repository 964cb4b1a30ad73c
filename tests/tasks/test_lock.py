"""One night at a time."""

import subprocess
import sys

import pytest

from data_contracts.errors import LakeLockedError
from tasks.lock import lake_lock

HOLDER = """
import sys, pathlib
from tasks.lock import lake_lock
with lake_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_second_night_is_told_who_holds_the_lake(tmp_path):
    """Another process holds the lock; when it dies, however it dies, the lake is free."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LakeLockedError, match=f"process {holder.pid}"), lake_lock(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with lake_lock(tmp_path):
        pass
