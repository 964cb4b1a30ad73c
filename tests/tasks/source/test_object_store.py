"""An object store that refuses or is not there: plain words, and never a secret."""

import sys
import time
import traceback

import pytest

from data_contracts.errors import ConfigError
from data_contracts.publishing import PublishConfig
from tasks.source.object_store import ObjectStoreError, open_store
from tests.bucket import KEY_ID, SECRET, point_to, s3_server


@pytest.fixture(scope="module")
def address():
    """One server for all tests here."""
    with s3_server() as address:
        yield address


def store(target="s3://tables/shop", seconds=1):
    """Open a target."""
    return open_store(PublishConfig(target=target, give_up_seconds=seconds))


def refused(call, *arguments):
    """Return the sentence of a refusal, after looking for secrets in all that a log would hold."""
    with pytest.raises(ObjectStoreError, match="must be within reach") as told:
        call(*arguments)
    logged = "".join(traceback.format_exception(told.value))
    for secret in (SECRET, KEY_ID, "sWordfish"):
        assert secret not in logged
    return str(told.value)


def test_nobody_answers(monkeypatch):
    """The sentence names the object and what to do, within the time given."""
    point_to(monkeypatch, "http://127.0.0.1:9")
    begun = time.monotonic()
    sentence = refused(store().put, "latest.json", b"{}")
    assert time.monotonic() - begun < 20
    assert sentence == (
        "s3://tables/shop/latest.json must be within reach, got: no connection; the lake and what "
        "was published there before are untouched: check the network and AWS_ENDPOINT_URL, and "
        "run the night again"
    )


@pytest.mark.parametrize("operation", ["put", "folders", "sizes"])
def test_no_such_bucket(address, monkeypatch, operation):
    """Whatever is asked of it first."""
    point_to(monkeypatch, address)
    call = getattr(store("s3://nowhere"), operation)
    sentence = refused(call, "key", b"{}") if operation == "put" else refused(call, "key")
    assert "got: no such bucket" in sentence
    assert "make it or mend publish.target" in sentence


def test_refused_credentials(monkeypatch):
    """The store's own answer holds the key's id; ours does not."""
    import http.server
    import threading

    class Refusing(http.server.BaseHTTPRequestHandler):
        """Answers as S3 does to unknown keys."""

        def do_PUT(self):
            """Refuse."""
            body = f"<Error><Code>InvalidAccessKeyId</Code><Id>{KEY_ID}</Id></Error>".encode()
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Stay silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    point_to(monkeypatch, f"http://127.0.0.1:{server.server_port}")
    assert "got: the credentials are refused" in refused(store().put, "latest.json", b"{}")
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("http://127.0.0.1:9", True),
        ("http://localhost:9", True),
        ("http://[::1]:9", True),
        ("http://10.0.0.1:9", False),
        ("http://localhost.example.com", False),
        ("https://s3.example.com", True),
        ("", True),
    ],
)
def test_plain_http_is_for_loopback_only(monkeypatch, address, allowed):
    """Keys do not go over the network in the clear, unless AWS_ALLOW_HTTP says so."""
    point_to(monkeypatch, address)
    if not allowed:
        with pytest.raises(ConfigError, match=r"must be reached by https.*AWS_ALLOW_HTTP=true"):
            store()
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    assert store().uri == "s3://tables/shop"


def test_missing_extra_says_what_to_install(monkeypatch):
    """The library is optional."""
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(ConfigError, match=r"needs the extra s3: pip install 'hoarfrost\[s3\]'"):
        store()


def test_target_is_needed():
    """Nothing is guessed."""
    with pytest.raises(ConfigError, match=r"publish.target must name a bucket"):
        store(target=None)


@pytest.mark.parametrize("target", ["tables", "s3://", "gs://tables", f"s3://{KEY_ID}:{SECRET}@x"])
def test_other_targets_are_refused_without_being_repeated(target):
    """A secret that was put there by mistake must not be printed back."""
    with pytest.raises(ValueError, match="target must be s3://bucket") as told:
        PublishConfig(target=target)
    (fault,) = told.value.errors(include_url=False, include_input=False)
    assert SECRET not in str(fault)


def test_variables_stand_in_the_target(monkeypatch):
    """As everywhere in the configuration."""
    point_to(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.setenv("BUCKET", "tables")
    assert store("s3://${BUCKET}/shop/").uri == "s3://tables/shop"
