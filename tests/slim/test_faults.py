"""Both clients with the Data API server, which verifies their signatures, and injects faults."""

import os
from collections.abc import Iterator

import pytest
import requests

from chalicelib.database import (
    Database,
    DatabaseError,
    DatabaseResuming,
    DatabaseThrottled,
    DatabaseUnavailable,
    StatementFailed,
    StatementTimeout,
    connect,
)
from chalicelib.settings import DATA_API_CLIENTS, Settings
from local.data_api.faults import errors
from local.database_server import DatabaseServer
from tests.local.data_api import serving

KEY = {"DATA_API_ACCESS_KEY_ID": "local", "DATA_API_SECRET_ACCESS_KEY": "local"}
EXPECTED = {
    "ThrottlingException": DatabaseThrottled,
    "DatabaseResumingException": DatabaseResuming,
    "StatementTimeoutException": StatementTimeout,
    **dict.fromkeys(
        (
            "DatabaseErrorException",  # without MySQL's number
            "DatabaseUnavailableException",
            "InternalServerErrorException",
            "ServiceUnavailableError",
            "TransactionNotFoundException",
        ),
        DatabaseUnavailable,
    ),
}
pytestmark = pytest.mark.usefixtures("one_attempt")
BROKEN = ("half", "garbage")


@pytest.fixture(scope="module")
def url(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server that requires requests signed with the local clients' key."""
    directory = tmp_path_factory.mktemp("slim")
    with serving(database_server.url, directory, "--faults", environment={**os.environ, **KEY}) as (
        url,
        _,
    ):
        yield url


@pytest.fixture(params=DATA_API_CLIENTS)
def database(url: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    database = connect(Settings(endpoint_url=url, data_api_client=request.param))
    database.execute("CREATE TABLE IF NOT EXISTS slim (id INT PRIMARY KEY)")
    yield database
    plan(url)
    database.execute("DELETE FROM slim")


def plan(url: str, *faults: dict[str, object]) -> None:
    requests.put(f"{url}/_faults", json=faults, timeout=60).raise_for_status()


def test_signature_is_verified(
    url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database.fetch_one("SELECT :text AS text", text="é ☃ \x00") == {"text": "é ☃ \x00"}
    for client in DATA_API_CLIENTS:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "another",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }.items():
            monkeypatch.setenv(name, value)
        stranger = connect(
            Settings("arn:aws:rds:c", "arn:aws:secret", "customers", url, None, client)
        )
        with pytest.raises(StatementFailed, match="InvalidSignatureException"):
            stranger.ping()


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", sorted(errors()))
def test_every_error_is_the_same_in_both_clients(url: str, database: Database, name: str) -> None:
    plan(url, {"fault": name})

    with pytest.raises(DatabaseError) as caught:
        database.execute("INSERT INTO slim (id) VALUES (1)")

    assert type(caught.value) is EXPECTED.get(name, StatementFailed)
    assert database.fetch_all("SELECT id FROM slim") == []


@pytest.mark.parametrize(("when", "rows"), [("before", []), ("after", [{"id": 1}])])
def test_dropped_connection_is_not_retried(
    url: str, database: Database, when: str, rows: list[object]
) -> None:
    """The request is never sent twice, whether it was executed or not."""
    plan(url, {"fault": "drop", "when": when})

    with pytest.raises(DatabaseUnavailable):
        database.execute("INSERT INTO slim (id) VALUES (1)")

    assert database.fetch_all("SELECT id FROM slim") == rows


@pytest.mark.parametrize("fault", BROKEN)
def test_damaged_response_raises_database_unavailable(
    url: str, database: Database, fault: str
) -> None:
    plan(url, {"fault": fault})

    with pytest.raises(DatabaseUnavailable):
        database.execute("INSERT INTO slim (id) VALUES (1)")

    assert database.fetch_all("SELECT id FROM slim") == [{"id": 1}]


@pytest.mark.parametrize("fault", ["drip", "wait"])
def test_slow_response_is_read(url: str, database: Database, fault: str) -> None:
    plan(url, {"fault": fault, "seconds": 0.1})

    assert database.fetch_one("SELECT 1 AS one") == {"one": 1}


def test_dropped_commit_has_an_unknown_outcome(url: str, database: Database) -> None:
    plan(url, {"fault": "drop", "when": "after", "operation": "CommitTransaction"})

    def insert() -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO slim (id) VALUES (1)")

    with pytest.raises(DatabaseUnavailable):
        insert()

    assert database.fetch_all("SELECT id FROM slim") == [{"id": 1}]
