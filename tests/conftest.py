import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

import app
import migrations
from chalicelib.database import Database, connect, retries
from chalicelib.http import routing
from chalicelib.observability import logs, tracing
from chalicelib.settings import Settings
from local import engines
from local.database_server import DatabaseServer
from local.processes import LocalError
from serve.gateway import separate_requests
from tests import tokens
from tests.api import Api
from tests.daemon import Daemon
from tests.local.data_api import serving
from tests.mysql8 import refusal
from tests.recorded import Recorded
from tests.servers import serve_data_api, serve_database

Lines = Callable[[str], list[dict[str, Any]]]

PATIENCE = "20"
"""Seconds of a long wait for a lock: longer than a busy machine stalls, shorter than an attempt."""

WITHOUT_CHALICELIB = ("tests/infrastructure/", "tests/load/", "tests/test_compatibility.py")
# Most tests create their own clients, and botocore would read its megabyte of JSON for each.
botocore.session.create_loader = cache(botocore.session.create_loader)
# The same examples in every run, and no limit on their time: chance and load decide nothing.
settings.register_profile(
    "certain", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("certain")


def pytest_configure(config: pytest.Config) -> None:
    """Install the engine if it is missing, before several test processes would do so at once."""
    # In the background, SIGINT is ignored. Processes that tests start would inherit this.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A make that a test starts must not take the options of the make that runs the tests.
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        os.environ.pop(name, None)
    if hasattr(config, "workerinput"):
        return
    try:
        engines.selected().get(Path(tempfile.mkdtemp()))
    except LocalError as error:
        pytest.exit(str(error), returncode=1)


def pytest_unconfigure() -> None:
    """Close the socket that the X-Ray SDK opens on import: a run would end with a warning."""
    if sdk := sys.modules.get("aws_xray_sdk.core"):
        sdk.xray_recorder.emitter._socket.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests of the other engine, and disable coverage for tests that add none.

    Coverage doubles the duration of a test.
    """
    engine = engines.selected()
    for item in items:
        for marker in item.iter_markers("engine"):
            if marker.args != (engine.name,):
                reason = f"not on {engine.title}: {marker.kwargs['reason']}"
                item.add_marker(pytest.mark.skip(reason=reason))
        is_of_examples = isinstance(item, pytest.Function) and is_hypothesis_test(item.obj)
        if is_of_examples or item.nodeid.startswith(WITHOUT_CHALICELIB):
            item.add_marker("no_cover")


@pytest.fixture(scope="session", autouse=True)
def _issuer() -> None:
    """Configure the app to accept the tests' tokens."""
    tokens.issuer()


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    with serve_database(tmp_path_factory.mktemp("local")) as server:
        yield server


@pytest.fixture(scope="session")
def data_api(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with serve_data_api(database_server, tmp_path_factory.mktemp("data-api")) as url:
        yield url


@pytest.fixture(scope="session")
def patient_data_api(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Run a Data API server whose statements wait for a lock for PATIENCE seconds."""
    directory = tmp_path_factory.mktemp("patient")
    with serving(database_server.url, directory, "--lock-wait-timeout", PATIENCE) as (url, _):
        yield url


@pytest.fixture(scope="session")
def impatient_data_api(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Run a Data API server whose calls time out after a second."""
    directory = tmp_path_factory.mktemp("impatient")
    with serving(database_server.url, directory, "--statement-timeout", "1") as (url, _):
        yield url


@pytest.fixture(scope="session")
def migrated(data_api: str) -> Database:
    """Connect to the database through the Data API, with the schema up to date."""
    settings = Settings(endpoint_url=data_api)
    migrations.apply(connect(settings), connect(settings), migrations.read(), print)
    return connect(settings)


@pytest.fixture
def database(migrated: Database) -> Iterator[Recorded]:
    """Return a database without customers; a statement that MySQL 8 would reject fails the test."""
    migrated.execute("DELETE FROM customers")
    recorded = Recorded(migrated)
    yield recorded
    assert {sql: refusal(sql) for sql in recorded.statements} == dict.fromkeys(recorded.statements)


@pytest.fixture
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable retries, to test a single attempt."""
    monkeypatch.setattr(retries.Attempts, "_may_repeat", lambda *_: False)


@pytest.fixture
def api(database: Database, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return a client of the app, which uses the test database."""
    monkeypatch.setattr(app, "database", lambda: database)
    return Api()


@pytest.fixture
def parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure the app to have a request per thread, as the laptop's gateway does."""
    monkeypatch.setattr(app.app, "__class__", type(app.app))  # undone after the test
    separate_requests(app.app)


@pytest.fixture
def broken_api(monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return a client of the app, whose database is unreachable."""
    nowhere = connect(Settings(endpoint_url="http://127.0.0.1:1"))
    monkeypatch.setattr(app, "database", lambda: nowhere)
    return Api()


@pytest.fixture(autouse=True)
def _fresh_settings() -> Iterator[None]:
    """Clear cached settings after each test, because a test may have changed the environment."""
    yield
    routing.settings.cache_clear()
    app.health.cache_clear()


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Run a fake X-Ray daemon; the gateway samples every request."""
    with Daemon() as listening:
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", listening.address)
        yield listening
        if tracing._load.cache_info().currsize and (recorder := tracing.recorder()):
            recorder.emitter._socket.close()
        tracing._load.cache_clear()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Capture the app's log lines; its logger doesn't propagate them."""
    caplog.handler.setFormatter(logs.Formatter())
    app.app.log.addHandler(caplog.handler)
    yield caplog
    app.app.log.removeHandler(caplog.handler)


@pytest.fixture
def lines(log: pytest.LogCaptureFixture) -> Lines:
    """Return a function that returns the app's log lines with a message."""

    def of(message: str) -> list[dict[str, Any]]:
        logged = [json.loads(line) for line in log.text.splitlines()]
        return [line for line in logged if line["message"] == message]

    return of
