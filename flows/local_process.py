"""Programs started on this machine: each with a log of its own, each stopped by its own id."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from data_contracts.errors import HoarfrostError

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 30.0


class ServiceError(HoarfrostError):
    """A program started here did not come up, or ended by itself."""


class LocalProcess:
    """A running program and where its log lies."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def check(self) -> None:
        """Do nothing while the program runs.

        Raises:
            ServiceError: it has ended.
        """
        code = self._process.poll()
        if code is not None:
            raise ServiceError(
                f"{self._log.stem} must keep running, got exit {code}: see {self._log}"
            )

    def stop(self) -> None:
        """Ask the program to end, wait, then end whatever it has left behind."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its group holds only its own children
        self._process.wait()


@contextmanager
def running(
    module: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str]
) -> Iterator[LocalProcess]:
    """Run ``python -m module`` until the block is left.

    Args:
        module: a module of this Python.
        arguments: its command line.
        log: receives what the program prints.
        environment: the program's whole environment.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C reaches us alone, and we stop all in order
            preexec_fn=_hear_interrupts,
        )
    started = LocalProcess(process, log)
    try:
        yield started
    finally:
        started.stop()


def _hear_interrupts() -> None:
    # a worker turns SIGTERM into SIGINT, and started in the background it would inherit a deaf one
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def wait_until_up(url: str, process: LocalProcess, *, timeout: float = 120.0) -> None:
    """Wait until a loopback URL answers.

    Raises:
        ServiceError: the program has ended, or does not answer in time.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        process.check()
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.3)
    raise ServiceError(f"{url} must answer within {timeout:.0f} s, got no answer")
