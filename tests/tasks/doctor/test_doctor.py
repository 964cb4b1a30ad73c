"""The look at an installation: what is said, and what is called a problem."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata

import pytest

from data_contracts.config import NightlyConfig
from tasks.doctor.doctor import examine
from tasks.doctor.doctor_packages import package_findings
from tests.tiny_lake import good_rows, write_day

NOBODY = "http://ann:secret@127.0.0.1:9"


def findings(config=None, **settings):
    """What is found, by name."""
    return {each.name: each for each in examine(config, **settings).findings}


def config_of(lake, **sections):
    """A lake whose window holds the day of the tests, whatever the clock says."""
    return NightlyConfig.model_validate(
        {"lake": str(lake), "history": {"window_days": 100_000}} | sections
    )


def spoiled(monkeypatch, **versions):
    """Packages with other versions; None is not installed."""
    given = metadata.version

    def version(name):
        if name not in versions:
            return given(name)
        if versions[name] is None:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    return {each.name: each for each in package_findings()}


def test_every_dependency_is_looked_at():
    """Ranges come from the package itself; here all of them are kept."""
    found = findings()
    for asked in metadata.requires("hoarfrost"):
        if "extra ==" not in asked:
            name = asked.split("[")[0].split(">")[0].split("<")[0].split(";")[0].strip()
            assert found[name].state == "ok", found[name]
    assert {"python", "device", "memory", "disk"} < set(found)
    assert "lake" not in found


def test_wrong_and_missing_packages_are_problems(monkeypatch):
    """With the range, and what to type."""
    found = spoiled(monkeypatch, polars="1.0.0", scipy=None)
    assert (found["polars"].state, found["scipy"].state) == ("problem", "problem")
    assert found["polars"].found.startswith("1.0.0 does not suit, supported is <3,>=2.1")
    assert found["scipy"].found == "is not installed"
    assert found["scipy"].remedy.startswith("pip install 'scipy")


def test_missing_extras_are_advice(monkeypatch):
    """Each says what it is for and how to get it; SuiteSparse's headers come first."""
    asked = ["numpy>=2", "scikit-sparse>=0.4.16; extra == 'cholmod'", "boto3>=1; extra == 's3'"]
    monkeypatch.setattr(metadata, "requires", lambda _: asked)
    own = metadata.metadata("hoarfrost")
    own.add_header("Provides-Extra", "cholmod")
    monkeypatch.setattr(metadata, "metadata", lambda _: own)
    found = spoiled(monkeypatch, **{"scikit-sparse": None, "boto3": None})
    assert (found["extra cholmod"].state, found["extra s3"].state) == ("advice", "advice")
    for words in ("libsuitesparse-dev", "conda-forge suitesparse", "'hoarfrost[cholmod]'"):
        assert words in found["extra cholmod"].remedy
    assert "object stores" in found["extra s3"].found
    assert found["extra s3"].remedy == "pip install 'hoarfrost[s3]'"
    assert "extra dev" not in found


def test_lake_with_a_log_is_well(tmp_path):
    """What lies there is counted; a catalogue may be missing."""
    write_day(tmp_path, good_rows())
    found = findings(config_of(tmp_path))
    assert (found["lake"].state, found["mlflow"].state, found["prefect"].state) == ("ok",) * 3
    assert found["log"].found == "1 files of 1 days, the last of 2026-09-10"
    assert found["catalogue"].state == "advice"
    assert not list(tmp_path.glob("tmp*"))  # nothing is left behind


def test_lake_without_a_log_is_not(tmp_path):
    """Nor one whose folder is a file."""
    found = findings(config_of(tmp_path / "new" / "lake"))
    assert "can be made" in found["lake"].found
    assert not (tmp_path / "new").exists()
    assert found["log"].state == "problem"
    assert "interactions.files" in found["log"].remedy
    (tmp_path / "file").write_text("")
    assert findings(config_of(tmp_path / "file"))["lake"].state == "problem"


def test_servers_that_do_not_answer_are_problems(tmp_path):
    """Their passwords are shown nowhere."""
    config = config_of(tmp_path, mlflow={"tracking_uri": NOBODY})
    found = findings(config, prefect_api=f"{NOBODY}/api")
    for name in ("mlflow", "prefect"):
        assert found[name].state == "problem"
        assert found[name].found == "127.0.0.1:9 does not answer within 5 s"
    assert "secret" not in str(found)
    away = config_of(tmp_path, training={"where": "deployment"})
    assert findings(away)["prefect"].state == "problem"


class Healthy(BaseHTTPRequestHandler):
    """A server that is well."""

    def do_GET(self):
        """Answer."""
        self.send_response(200 if self.path.endswith("/health") else 404)
        self.end_headers()

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def server():
    """Its address."""
    listening = HTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()


def test_servers_that_answer_are_well(tmp_path, server):
    """By their addresses alone; a database is asked too."""
    config = config_of(tmp_path, mlflow={"tracking_uri": server})
    found = findings(config, prefect_api=f"{server}/api")
    assert (found["mlflow"].state, found["prefect"].state) == ("ok", "ok")
    database = config_of(tmp_path, mlflow={"tracking_uri": f"sqlite:///{tmp_path / 'm.db'}"})
    assert findings(database)["mlflow"].state == "ok"
    assert not (tmp_path / "m.db").exists()
