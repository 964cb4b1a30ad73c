"""Programs on this machine: they come up, they are missed when they end, nothing is left behind."""

import os
import time
from pathlib import Path

import pytest

from flows.local_process import LOOPBACK, ServiceError, free_port, running, wait_until_up

LEAVES_A_CHILD = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    """Run the text of a module."""

    def start(text, name="service"):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        return running(name, [], log=tmp_path / "logs" / f"{name}.log", environment=environment)

    return start


def serve(port):
    """The text of a server."""
    answer = "import http.server as s; s.test(s.SimpleHTTPRequestHandler, "
    return f"{answer}port={port}, bind='{LOOPBACK}')"


def is_alive(pid):
    """Tell whether a process runs; one that ended but was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
    except FileNotFoundError:
        return False
    return not state.startswith(" Z")


def test_program_answers_until_the_block_ends(start):
    """It is up inside the block and gone behind it."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    with start(serve(port)) as process:
        wait_until_up(url, process, timeout=30)
        process.check()
    with pytest.raises(ServiceError, match="service must keep running, got exit"):
        wait_until_up(url, process, timeout=5)


def test_program_that_ends_is_missed(start):
    """The message names the program, its exit code and its log."""
    message = r"mlflow must keep running, got exit 7: see .*mlflow\.log"
    with (
        start("raise SystemExit(7)", name="mlflow") as process,
        pytest.raises(ServiceError, match=message),
    ):
        wait_until_up(f"http://{LOOPBACK}:{free_port()}", process, timeout=30)


def test_program_that_never_answers_is_given_up(start):
    """Waiting has an end."""
    with (
        start("import time; time.sleep(60)") as process,
        pytest.raises(ServiceError, match="must answer within 1 s"),
    ):
        wait_until_up(f"http://{LOOPBACK}:{free_port()}", process, timeout=1.0)


def test_what_a_program_leaves_behind_is_ended(start, tmp_path):
    """A server killed from outside does not take its workers along: we do."""
    log = tmp_path / "logs" / "service.log"
    with start(LEAVES_A_CHILD):
        deadline = time.monotonic() + 30
        while not log.read_text(encoding="utf-8").strip() and time.monotonic() < deadline:
            time.sleep(0.1)
        child = int(log.read_text(encoding="utf-8"))
        assert is_alive(child)
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(child)
