"""The limits on waiting for the database, with sessions that hold locks and servers that hang.

Each test ends because of the limit under test: the lock is held, and the server hangs, until the
response is there.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TypeAlias

import pymysql
import pytest
from chalice.test import HTTPResponse

import app
import migrations
from chalicelib import deadlines
from chalicelib.database import (
    Database,
    DatabaseMisconfigured,
    StatementNotBegun,
    StatementTimeout,
    connect,
    contract,
    mysql,
    retries,
)
from chalicelib.database.retries import ANSWER_SECONDS
from chalicelib.deadlines import Deadline
from chalicelib.http.requests import Request
from chalicelib.settings import DATA_API_CLIENTS, Settings
from local.database_server import DatabaseServer
from tests.api import ADA, Api, assert_problem
from tests.conftest import PATIENCE, Lines
from tests.dripping import dripping
from tests.local.data_api import serving
from tests.local.support import eventually

SHORT_SECONDS = 0.6
"""Time for the statements of a request that ends before the database's wait for a lock."""
LIMIT = "SELECT @@innodb_lock_wait_timeout AS seconds"

Session: TypeAlias = "pymysql.Connection[pymysql.cursors.Cursor]"

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.exhaustive]


@pytest.fixture(params=[*DATA_API_CLIENTS, "mysql"])
def backend(
    database_server: DatabaseServer, data_api: str, request: pytest.FixtureRequest
) -> Database:
    """Connect to the database in each way."""
    if request.param == "mysql":
        return connect(Settings(database_url=database_server.url))
    return connect(Settings(endpoint_url=data_api, data_api_client=request.param))


@pytest.fixture
def api(backend: Database, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(app, "database", lambda: backend)
    return Api()


@pytest.fixture
def customer(api: Api) -> str:
    """Return the path of a customer."""
    return str(api.post("/customers", ADA).headers["Location"])


@pytest.fixture
def session(database_server: DatabaseServer) -> Iterator[Session]:
    """Open a session in which a statement begins a transaction."""
    arguments = mysql.connection_arguments(database_server.url) | {"autocommit": False}
    with pymysql.connect(**arguments) as session:
        yield session


@contextmanager
def locked(session: Session) -> Iterator[None]:
    """Lock all customers until the end of the block."""
    session.query("SELECT id FROM customers FOR UPDATE")
    yield
    session.rollback()


@contextmanager
def short_requests() -> Iterator[None]:
    """Let each statement of a request have less time than the database waits for a lock.

    The clock stands still, because a busy machine could use up the time before a statement begins.
    """
    with pytest.MonkeyPatch.context() as patched:
        seconds = property(lambda _: ANSWER_SECONDS + SHORT_SECONDS)
        patched.setattr(Request, "seconds_left", seconds)
        patched.setattr(deadlines, "time", SimpleNamespace(monotonic=lambda: 0.0))
        yield


def patch(api: Api, path: str) -> HTTPResponse:
    return api.patch(path, {"given_name": "Augusta"})


def replace(api: Api, path: str) -> HTTPResponse:
    return api.put(path, {**ADA, "given_name": "Augusta"}, if_match='"v1"')


def delete(api: Api, path: str) -> HTTPResponse:
    return api.delete(path)


def erase(api: Api, path: str) -> HTTPResponse:
    return api.post(path + "/erase")


WRITES = pytest.mark.parametrize("write", [patch, replace, delete, erase])


@WRITES
@pytest.mark.usefixtures("one_attempt")
def test_write_that_waits_too_long_for_a_lock_is_not_applied(
    api: Api, customer: str, session: Session, write: Callable[[Api, str], HTTPResponse]
) -> None:
    before = api.get(customer).body

    with locked(session):
        answer = write(api, customer)

    assert_problem(answer, 503, "service-unavailable")
    assert answer.json_body["outcome"] == "not-applied"
    with locked(session):  # waits for every statement that is still waiting
        assert api.get(customer).body == before


@pytest.fixture(params=[*DATA_API_CLIENTS, "mysql"])
def patient_api(
    database_server: DatabaseServer,
    patient_data_api: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Api:
    """Return a client of the app, whose statements wait long for a lock.

    The wait ends before an attempt that ignores the request's time.
    """
    monkeypatch.setattr(mysql, "_LOCK_LIMIT", f"innodb_lock_wait_timeout = {PATIENCE}")
    settings = Settings(endpoint_url=patient_data_api, data_api_client=request.param)
    if request.param == "mysql":
        settings = Settings(database_url=database_server.url)
    patient = connect(settings)
    monkeypatch.setattr(app, "database", lambda: patient)
    return Api()


@WRITES
def test_attempt_ends_within_the_requests_time(
    patient_api: Api, session: Session, write: Callable[[Api, str], HTTPResponse]
) -> None:
    """The database still waits for the lock, and may apply the write later."""
    path = patient_api.post("/customers", ADA).headers["Location"]

    with locked(session), short_requests():
        answer = write(patient_api, path)

    assert_problem(answer, 503, "service-unavailable")
    assert answer.json_body["outcome"] == "unknown"
    assert "Idempotency-Key or If-Match" in answer.json_body["detail"]


def test_write_with_unknown_outcome_may_be_applied_later(
    patient_api: Api, session: Session
) -> None:
    """A retry with the same `If-Match` then returns the response that was lost."""
    path = patient_api.post("/customers", ADA).headers["Location"]

    with locked(session), short_requests():
        replace(patient_api, path)
    with locked(session):
        pass  # usually, the write was waiting for longer, and gets the lock first

    eventually(lambda: patient_api.get(path).json_body["version"] == 2)
    retried = replace(patient_api, path)
    assert (retried.status_code, retried.headers["ETag"]) == (200, '"v2"')


@pytest.mark.usefixtures("database", "customer")
def test_attempts_with_a_lock_wait_end_within_the_requests_time(
    backend: Database, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last attempt gets the time that is left, not a whole attempt's.

    By the clock of this test, only the first attempt takes time: its wait for the lock.
    """
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: sum(now), sleep=lambda _: now.append(1))
    monkeypatch.setattr(retries, "time", clock)
    monkeypatch.setattr(deadlines, "time", clock)
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0)

    with (
        locked(session),
        Deadline(ANSWER_SECONDS + 1 + SHORT_SECONDS),
        pytest.raises(StatementTimeout),
    ):
        backend.execute_guarded("UPDATE customers SET version = 9")


@pytest.mark.parametrize("client", DATA_API_CLIENTS)
def test_slow_response_does_not_extend_an_attempt(client: str) -> None:
    with dripping("body") as server:
        url = f"http://127.0.0.1:{server.port}"
        slow = connect(Settings(endpoint_url=url, data_api_client=client))
        with Deadline(ANSWER_SECONDS + SHORT_SECONDS), pytest.raises(StatementTimeout):
            slow.fetch_one("SELECT 1")


def test_statement_without_time_is_not_sent(backend: Database, session: Session) -> None:
    with Deadline(ANSWER_SECONDS), pytest.raises(StatementNotBegun, match="no time left"):
        backend.execute("INSERT INTO customers (id) VALUES ('a')")

    with locked(session):
        assert backend.fetch_one("SELECT COUNT(*) AS n FROM customers") == {"n": 0}


def test_mysql_session_limits_its_wait_for_locks(
    database_server: DatabaseServer, session: Session
) -> None:
    """A server's lower limit remains."""
    with session.cursor() as cursor:
        for seconds, limited in ((50, retries.LOCK_SECONDS), (2, 2)):
            cursor.execute("SET innodb_lock_wait_timeout = %s", (seconds,))
            cursor.execute(mysql.connection_arguments(database_server.url)["init_command"])
            cursor.execute(LIMIT)
            assert cursor.fetchall() == ((limited,),)


def test_session_of_rds_proxy_sets_only_what_the_proxy_tracks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    arguments = mysql.connection_arguments("mysql://app@db.example.com/customers?auth=iam")

    assert arguments["init_command"] == "SET time_zone = '+00:00'"


def test_data_api_server_limits_the_wait_for_locks(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("locks")
    with serving(database_server.url, directory, "--lock-wait-timeout", "3") as (url, _):
        assert connect(Settings(endpoint_url=url)).fetch_one(LIMIT) == {"seconds": 3}


@pytest.fixture
def too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the maximum to less than the server's 1 s."""
    monkeypatch.setattr(contract, "LOCK_SECONDS", 0)


@pytest.mark.usefixtures("too_long")
def test_migrations_reject_a_long_lock_wait_timeout(backend: Database) -> None:
    with pytest.raises(DatabaseMisconfigured, match="innodb_lock_wait_timeout is 1"):
        migrations.apply(backend, backend, migrations.read(), print)


@pytest.mark.usefixtures("too_long")
def test_deep_health_check_rejects_a_long_lock_wait_timeout(api: Api, lines: Lines) -> None:
    assert_problem(api.get("/health?deep=true"), 500, "internal-error")

    (line,) = lines(
        "DatabaseMisconfigured: innodb_lock_wait_timeout is 1, but may be at most 0:"
        " set it to 0 in the parameter group or the server's configuration"
    )
    assert line["level"] == "ERROR"
    assert "innodb" not in json.dumps(api.get("/health?deep=true").json_body)


def test_other_time_zone_is_rejected(database_server: DatabaseServer) -> None:
    backend = connect(Settings(database_url=database_server.url))
    backend.ping()
    backend.execute("SET time_zone = '+05:30'")

    with pytest.raises(DatabaseMisconfigured, match="time_zone is 330 minutes from UTC"):
        backend.ping()


@pytest.mark.usefixtures("one_attempt")
def test_interrupted_write_is_not_applied(patient_api: Api, session: Session) -> None:
    """KILL QUERY ends a statement that waits for a lock, as a failover does."""
    customer = patient_api.post("/customers", ADA).headers["Location"]
    before = patient_api.get(customer).body

    with locked(session), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(patch, patient_api, customer)
        while not kill_waiting_update(session):
            assert not answer.done(), answer.result().body
        response = answer.result(timeout=30)

    assert_problem(response, 503, "service-unavailable")
    assert response.json_body["outcome"] == "not-applied"
    assert patient_api.get(customer).body == before


def kill_waiting_update(session: Session) -> bool:
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE info LIKE 'UPDATE customers %'"
        )
        waiting = cursor.fetchall()
        for (number,) in waiting:
            cursor.execute("KILL QUERY %s", (number,))
    return bool(waiting)
