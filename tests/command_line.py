"""The command line in a process of its own, as a person runs it."""

import functools
import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing.context import ForkServerContext
from pathlib import Path

COMMAND = [sys.executable, "-c", "from flows.cli import main; main()"]


@functools.cache
def forkserver() -> ForkServerContext:
    """Processes forked from one that has imported everything and done nothing.

    One for all tests of a run: what it imports is settled when it starts.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.preloaded"])
    return context


def hoarfrost(
    *arguments: object, cwd: Path | None = None, fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """Return how the command line ended and what it printed.

    Args:
        arguments: of the command line.
        cwd: folder to run it in.
        fresh: start the interpreter anew; by default its imports, seconds each time, are done.
    """
    words = [str(each) for each in arguments]
    if fresh:
        return subprocess.run(
            [*COMMAND, *words], capture_output=True, text=True, check=False, cwd=cwd
        )
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        given = (words, dict(os.environ), cwd or Path.cwd(), out, err)
        process = forkserver().Process(target=_main, args=given)
        process.start()
        process.join()
        assert process.exitcode is not None
        printed = out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
        return subprocess.CompletedProcess(words, process.exitcode, *printed)


def _main(words: list[str], environment: dict[str, str], cwd: Path, out: Path, err: Path) -> None:
    for path, stream in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = ["hoarfrost", *words]
    from prefect.context import refresh_global_settings_context

    from flows.cli import main

    refresh_global_settings_context()  # the server may have come after the imports
    main()
