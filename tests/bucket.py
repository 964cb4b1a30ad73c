"""An S3 API on loopback with one bucket, and a wire to it that can be cut."""

import http.client
import os
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest

from data_contracts.publishing import PublishConfig
from tasks.source.object_store import ObjectStore, open_store

SECRET = "sWordfish/never+printed"
KEY_ID = "AKIANEVERPRINTED"
_PASSED = ("content-length", "content-range", "content-type", "etag", "last-modified")


@contextmanager
def s3_server() -> Iterator[str]:
    """Serve an S3 API with the bucket ``tables``, empty; yield its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        _ask(f"{address}/moto-api/reset", "POST")  # all servers of a process share their buckets
        _ask(f"{address}/tables", "PUT")
        yield address
    finally:
        server.stop()


def _ask(address: str, method: str) -> None:
    urllib.request.urlopen(urllib.request.Request(address, method=method)).close()


def point_to(patch: pytest.MonkeyPatch, address: str) -> None:
    """Let the environment name this server, with keys that must never be printed."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    patch.setenv("AWS_ENDPOINT_URL", address)
    patch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    patch.setenv("AWS_REGION", "us-east-1")


def bucket_of(target: str) -> ObjectStore:
    """Return what lies at a target, to look at it."""
    return open_store(PublishConfig(target=target, give_up_seconds=20))


def send(folder: Path, target: str) -> None:
    """Upload every file below a folder to a target."""
    bucket = bucket_of(target)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        bucket.put(path.relative_to(folder).as_posix(), path.read_bytes())


class Asked(NamedTuple):
    """One request to a bucket."""

    method: str
    path: str  # with its query, in plain letters
    n_bytes: int  # of the answer


class Counter:
    """Passes requests on to a server, counts them, and answers some itself."""

    def __init__(self, address: str) -> None:
        self.asked: list[Asked] = []
        self.trouble: Callable[[str, str], int | None] = lambda _method, _path: None
        """Returns the status of an own answer, None to pass a request on."""
        self.page: int | None = None
        """Keys of one page of a listing; the server's default is a thousand."""
        self.heard: Callable[[dict[str, str]], None] = lambda _headers: None
        """Is told the headers of every request."""
        counter, server = self, address.removeprefix("http://")

        class Passing(BaseHTTPRequestHandler):
            """Passes one request on."""

            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """Answer."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                counter.heard({name.lower(): value for name, value in self.headers.items()})
                status = counter.trouble(self.command, unquote(self.path))
                if status is not None:
                    self._answer(status, {}, f"<Error><Id>{KEY_ID}</Id></Error>".encode())
                    return
                line = http.client.HTTPConnection(server)
                page = "&max-keys=" + str(counter.page) if counter.page is not None else ""
                path = self.path + (page if "list-type=2" in self.path else "")
                line.request(self.command, path, body or None, dict(self.headers))
                answer = line.getresponse()
                found = {name.lower(): value for name, value in answer.getheaders()}
                kept = {name: found[name] for name in _PASSED if name in found}
                self._answer(answer.status, kept, answer.read())
                line.close()

            do_PUT = do_HEAD = do_POST = do_GET  # noqa: N815

            def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                counter.asked.append(Asked(self.command, unquote(self.path), len(body)))
                self.send_response(status)
                for name, value in ({"content-length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End for good."""
        self._server.shutdown()
        self._server.server_close()


class Wire:
    """A line to a server that goes dead after some bytes, until it is mended."""

    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("http://").split(":")
        self._server = (host, int(port))
        self._left: int | None = None
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, n_bytes: int) -> None:
        """Let so many bytes through and then none, neither old connections nor new ones."""
        self._left = n_bytes

    def mend(self) -> None:
        """Let everything through again."""
        self._left = None

    def close(self) -> None:
        """End for good."""
        self._listener.close()
        self._hang_up()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._server)
                self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source, sink:
            while data := source.recv(65_536):
                if self._left is not None:
                    self._left -= len(data)
                    if self._left <= 0:
                        self._hang_up()
                        return
                sink.sendall(data)

    def _hang_up(self) -> None:
        while self._ends:
            with suppress(OSError):
                self._ends.pop().shutdown(socket.SHUT_RDWR)


@contextmanager
def counted_bucket(patch: pytest.MonkeyPatch) -> Iterator[Counter]:
    """Run an empty bucket behind a counter of requests, and let everything of ours ask that."""
    with s3_server() as address:
        counter = Counter(address)
        point_to(patch, counter.address)
        try:
            yield counter
        finally:
            counter.close()
