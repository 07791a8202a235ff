"""Slow servers: no wait outlasts its deadline, whichever part of a response is slow."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from chalicelib.database import DatabaseError, connect, retries
from chalicelib.database.retries import ANSWER_SECONDS
from chalicelib.deadlines import Deadline, current, in_time
from chalicelib.settings import DATA_API_CLIENTS, Settings
from chalicelib.tokens import keys
from chalicelib.tokens.keys import Keys, KeysUnavailable
from infrastructure import releases
from infrastructure.failures import Failure
from local.console import plans
from local.database_server import DatabaseServer
from tests.dripping import PARTS, SECONDS, Drip, dripping, dripping_database


@pytest.fixture(autouse=True)
def few_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, reading the system's authorities takes longer than some deadlines."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)


def url_of(port: int, part: str) -> str:
    return f"{'https' if part == 'TLS handshake' else 'http'}://127.0.0.1:{port}"


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", PARTS)
def test_slow_key_server_is_abandoned(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "TIMEOUT_SECONDS", SECONDS)

    with dripping(part) as server:
        with pytest.raises(KeysUnavailable, match="TimeoutError"):
            Keys(url_of(server.port, part)).find("ec", "ES256")
        assert server.ended_early


@pytest.mark.exhaustive
@pytest.mark.parametrize("client", DATA_API_CLIENTS)
@pytest.mark.parametrize("part", PARTS)
def test_slow_data_api_is_abandoned(part: str, client: str) -> None:
    with dripping(part) as server:
        settings = Settings(endpoint_url=url_of(server.port, part), data_api_client=client)
        database = connect(settings)
        with Deadline(ANSWER_SECONDS + SECONDS), pytest.raises(DatabaseError):
            database.fetch_one("SELECT 1")
        assert server.ended_early


def through(drip: Drip, database_server: DatabaseServer) -> str:
    """Return the URL of the database behind the drip, without TLS, which would hide the marker."""
    url = database_server.url.replace(f":{database_server.port}/", f":{drip.port}/")
    return f"{url}?tls=off"


@pytest.mark.parametrize("marker", [b"", b"SELECT 1"], ids=["handshake", "response"])
def test_slow_mysql_server_is_abandoned(marker: bytes, database_server: DatabaseServer) -> None:
    """PyMySQL's timeout starts again with each part of a packet."""
    port = database_server.port
    with dripping_database(port, marker) as server:
        url = through(server, database_server)
        database = connect(Settings(database_url=url))
        with Deadline(ANSWER_SECONDS + SECONDS), pytest.raises(DatabaseError):
            database.fetch_one("SELECT 1")
        assert server.ended_early


def test_slow_statement_outside_of_requests_is_abandoned(
    database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "ATTEMPT_SECONDS", SECONDS)
    port = database_server.port
    with dripping_database(port, b"SELECT 1") as server:
        url = through(server, database_server)
        with pytest.raises(DatabaseError):
            connect(Settings(database_url=url)).execute("SELECT 1")
        assert server.ended_early


def test_slow_query_plan_is_abandoned(
    database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "PLAN_SECONDS", SECONDS)
    port = database_server.port
    with dripping_database(port, b"SELECT * FROM customers") as server:
        url = through(server, database_server)
        with pytest.raises(plans.PlanError):
            plans.explain(url, "SELECT id FROM customers")
        assert server.ended_early


def test_slow_upload_is_abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "UPLOAD_SECONDS", SECONDS)
    (tmp_path / "deployment.zip").write_bytes(b"zip")
    with dripping("headers") as server:
        s3 = boto3.client(
            "s3",
            "eu-central-1",
            endpoint_url=url_of(server.port, "headers"),
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(Failure, match="Check the network, and run the command again"):
            releases.upload(s3, "bucket", tmp_path, print)
        assert server.ended_early


def test_known_key_does_not_wait_for_a_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that fetches is held until another one has found its key."""
    has_begun, has_found = threading.Event(), threading.Event()
    now = [0.0]
    issuer_keys = Keys("https://issuer.example.com/keys", lambda: now[0])
    known = {("ec", "ES256"): object()}

    def fetch(*_: object) -> bytes:
        has_begun.set()
        assert has_found.wait(60)
        raise KeysUnavailable("slow")

    monkeypatch.setattr(keys, "_usable_keys", lambda _: known)
    monkeypatch.setattr(keys, "_download", lambda _: b"")
    assert issuer_keys.find("ec", "ES256")
    monkeypatch.setattr(keys, "_download", fetch)

    for age, wanted in ((20.0, "unknown"), (400.0, "ec")):  # an unknown key, or old keys
        now[0] = age
        has_begun.clear()
        has_found.clear()
        fetching = threading.Thread(target=_find_quietly, args=(issuer_keys, wanted))
        fetching.start()
        assert has_begun.wait(60)
        finding = threading.Thread(target=_find_quietly, args=(issuer_keys, "ec", has_found))
        finding.start()
        finding.join(60)
        assert has_found.is_set()
        fetching.join(60)


def _find_quietly(issuer_keys: Keys, kid: str, found: threading.Event | None = None) -> None:
    try:
        if issuer_keys.find(kid, "ES256") and found:
            found.set()
    except KeysUnavailable:
        pass


def test_deadline_is_current_in_its_block_only() -> None:
    with Deadline(5) as outer:
        with Deadline(1) as inner:
            assert current() is inner
        assert current() is outer
    assert current() is None


def test_time_that_is_over_is_an_error() -> None:
    assert 0 < Deadline(9).left() <= 9
    assert Deadline(-1).seconds < 0
    with pytest.raises(TimeoutError):
        Deadline(0).left()


@pytest.fixture
def forever() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_call_in_time_returns_its_result(forever: threading.Event) -> None:
    assert in_time(lambda: 7, 10) == 7
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 // 0, 10)
    with pytest.raises(TimeoutError):
        in_time(forever.wait, 0.01)
