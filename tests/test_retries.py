"""Retries, and verification by reading back, with a Data API server that fails on demand."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import requests
from chalice.test import HTTPResponse

import app
from chalicelib.customers import erasure
from chalicelib.database import (
    Database,
    DatabaseError,
    DatabaseResuming,
    DatabaseThrottled,
    DatabaseUnavailable,
    Deadlock,
    DuplicateKey,
    LockTimeout,
    Row,
    StatementTimeout,
    Value,
    connect,
    retries,
)
from chalicelib.database.retries import Attempts
from chalicelib.database.tables import run_write
from chalicelib.deadlines import Deadline
from chalicelib.settings import DATA_API_CLIENTS, Settings
from local.database_server import DatabaseServer
from tests.api import ADA, Api, assert_problem
from tests.conftest import Lines
from tests.local.data_api import serving
from tests.recorded import Recorded

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
DEADLOCK = "Deadlock found when trying to get lock; Error code: 1213; SQLState: 40001"
READ_ONLY = "running with the --read-only option; Error code: 1290; SQLState: HY000"
DROPPED = {"fault": "drop", "when": "after"}
NOTHING_DONE: list[dict[str, Any]] = [
    {"fault": "ThrottlingException"},
    {"fault": "DatabaseResumingException"},
    {"fault": "DatabaseErrorException", "message": DEADLOCK},
    {"fault": "DatabaseErrorException", "message": READ_ONLY},
]
UNCLEAR: list[dict[str, Any]] = [
    {"fault": "drop"},
    DROPPED,
    {"fault": "DatabaseUnavailableException", "when": "after"},
    {"fault": "StatementTimeoutException", "when": "after"},
]
Plan = Callable[..., None]


pytestmark = pytest.mark.usefixtures("database")
FAULTS = pytest.mark.parametrize("fault", [*NOTHING_DONE, *UNCLEAR], ids=str)


@pytest.fixture(scope="module")
def url(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a Data API server that fails on demand, on the same database."""
    with serving(database_server.url, tmp_path_factory.mktemp("retries"), "--faults") as (url, _):
        yield url


@pytest.fixture(params=DATA_API_CLIENTS)
def failing(
    url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Recorded]:
    """Let the app use this server, through each client."""
    failing = Recorded(connect(Settings(endpoint_url=url, data_api_client=request.param)))
    monkeypatch.setattr(app, "database", lambda: failing)
    yield failing
    requests.delete(f"{url}/_faults", timeout=60).raise_for_status()


@pytest.fixture
def api(failing: Recorded) -> Api:
    """Return a client of the app on this server."""
    assert app.database() is failing
    return Api()


@pytest.fixture
def plan(url: str) -> Plan:
    def plan(*faults: dict[str, Any]) -> None:
        requests.put(f"{url}/_faults", json=faults, timeout=60).raise_for_status()

    return plan


@pytest.fixture
def customer(api: Api) -> str:
    """Return the path of a customer."""
    return str(api.post("/customers", ADA).headers["Location"])


@FAULTS
def test_query_is_retried(
    api: Api, failing: Recorded, plan: Plan, lines: Lines, fault: dict[str, Any]
) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    plan({**fault, "calls": 2})

    assert api.get(path).status_code == 200

    assert len(failing.statements) == 4
    assert [line["DatabaseRetries"] for line in lines("request")] == [0, 2]
    assert [line["Statements"] for line in lines("request")] == [1, 1]


@FAULTS
def test_retried_create_is_applied_once(api: Api, plan: Plan, fault: dict[str, Any]) -> None:
    for email, headers in (("ada@example.com", {}), ("eve@example.com", {"idempotency_key": KEY})):
        plan(fault)

        answer = api.post("/customers", {**ADA, "email": email}, **headers)

        assert answer.status_code == 201
        assert "Idempotency-Replayed" not in answer.headers
        assert api.get(answer.headers["Location"]).body == answer.body
    assert len(api.get("/customers").json_body["items"]) == 2


def test_unapplied_create_returns_503(api: Api, plan: Plan) -> None:
    plan({"fault": "drop", "calls": 3})

    assert_problem(api.post("/customers", ADA), 503, "service-unavailable")

    assert api.get("/customers").json_body["items"] == []


@pytest.mark.exhaustive
@FAULTS
@pytest.mark.parametrize("headers", [{}, {"if_match": '"v1"'}], ids=["any", "v1"])
def test_retried_change_is_applied_once(
    api: Api, plan: Plan, fault: dict[str, Any], headers: dict[str, str]
) -> None:
    for change in (patch, replace, restore, erase):
        path = api.post("/customers", ADA).headers["Location"]
        version = headers
        if change is restore:
            api.delete(path)
            version = headers and {"if_match": '"v2"'}
        plan({**fault, "operation": "Execute"})

        assert change(api, path, version).status_code in {200, 204}, change.__name__

        if change is not erase:
            assert api.get(path).json_body["version"] == (3 if change is restore else 2)
            api.post(path + "/erase")


@pytest.mark.parametrize("fault", ["garbage", "half"])
def test_unreadable_rejection_returns_503(api: Api, plan: Plan, fault: str) -> None:
    """The lost response contained the database's error number, so only the loss is known."""
    api.post("/customers", ADA)
    plan({"fault": fault})

    assert_problem(api.post("/customers", ADA), 503, "service-unavailable")
    assert_problem(api.post("/customers", ADA), 409, "email-taken", ("/email", "taken"))


def patch(api: Api, path: str, headers: dict[str, str]) -> HTTPResponse:
    return api.patch(path, {"given_name": "Augusta"}, **headers)


def replace(api: Api, path: str, headers: dict[str, str]) -> HTTPResponse:
    return api.put(path, {**ADA, "given_name": "Augusta"}, **headers or {"if_match": "*"})


def restore(api: Api, path: str, headers: dict[str, str]) -> HTTPResponse:
    return api.post(path + "/restore", **headers)


def erase(api: Api, path: str, headers: dict[str, str]) -> HTTPResponse:
    return api.post(path + "/erase", **headers)


@FAULTS
def test_retried_delete_of_a_version_is_applied_once(
    api: Api, plan: Plan, customer: str, fault: dict[str, Any]
) -> None:
    plan(fault)

    assert api.delete(customer, if_match='"v1"').status_code == 204

    assert api.post(customer + "/restore").json_body["version"] == 3


@pytest.mark.parametrize(("when", "status"), [("after", 204), ("before", 503)])
def test_unconditional_delete_is_verified_and_not_retried(
    failing: Recorded, plan: Plan, customer: str, when: str, status: int
) -> None:
    """Another request may have restored the customer, so a second delete might hit that."""
    failing.statements.clear()
    plan({"fault": "drop", "when": when})

    assert Api().delete(customer).status_code == status

    assert [sql.split()[0] for sql in failing.statements] == ["UPDATE", "SELECT"]


def test_write_without_response_is_verified_by_reading_back(
    api: Api, failing: Recorded, plan: Plan, customer: str
) -> None:
    plan({**DROPPED, "calls": 3})

    answer = api.put(customer, {**ADA, "given_name": "Augusta"}, if_match='"v1"')

    assert (answer.status_code, answer.headers["ETag"]) == (200, '"v2"')
    assert [sql.split()[0] for sql in failing.statements[-4:]] == [*["UPDATE"] * 3, "SELECT"]


def test_write_followed_by_another_stays_unknown(
    api: Api, database: Recorded, plan: Plan, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write was applied, but is no longer visible: success and rejection would be wrong."""

    def change(_: float) -> None:
        database.execute("UPDATE customers SET version = version + 1, last_write = NULL")

    monkeypatch.setattr(time, "sleep", change)
    plan(DROPPED)

    answer = api.put(customer, {**ADA, "given_name": "Augusta"}, if_match='"v1"')

    assert_problem(answer, 503, "service-unavailable")
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize("calls", [3, 6], ids=["write", "write and reading back"])
def test_unconfirmed_write_has_unknown_outcome(
    api: Api, plan: Plan, customer: str, calls: int
) -> None:
    """Also if reading back fails: its error says nothing about the write."""
    plan({"fault": "drop", "calls": calls})

    answer = api.put(customer, {**ADA, "given_name": "Augusta"}, if_match='"v1"')

    assert_problem(answer, 503, "service-unavailable")
    assert answer.json_body["outcome"] == "unknown"


@pytest.mark.parametrize("fault", UNCLEAR, ids=str)
def test_failed_query_before_a_write_changes_nothing(
    api: Api, plan: Plan, customer: str, fault: dict[str, Any]
) -> None:
    plan({**fault, "calls": 3})

    answer = patch(api, customer, {})

    assert_problem(answer, 503, "service-unavailable")
    assert answer.json_body["outcome"] == "not-applied"


@pytest.mark.parametrize("fault", [NOTHING_DONE[0], *UNCLEAR], ids=str)
def test_statement_gets_three_attempts(
    api: Api, failing: Recorded, plan: Plan, customer: str, fault: dict[str, Any]
) -> None:
    failing.statements.clear()
    plan({**fault, "share": 1})

    answer = api.get(customer)

    assert_problem(answer, 503, "service-unavailable")
    assert answer.headers["Retry-After"] in {"1", "2"}
    assert len(failing.statements) == 3


def test_resuming_cluster_is_awaited(
    api: Api, plan: Plan, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "LONGEST_PAUSE_SECONDS", 0.01)
    plan({"fault": "DatabaseResumingException", "calls": 20})

    assert api.patch(customer, {"given_name": "Augusta"}).status_code == 200


def test_request_reserves_time_for_its_response() -> None:
    with Deadline(10):
        assert retries.seconds_left() == pytest.approx(10 - retries.ANSWER_SECONDS, abs=0.5)


def test_statement_after_the_deadline_is_not_sent(
    failing: Recorded, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the gateway would time out first, with an unknown outcome."""
    pauses = {1: 0.001, 2: 60.0}  # the second one would end after the deadline
    monkeypatch.setattr(retries, "_pause", pauses.get)
    plan({"fault": "DatabaseResumingException", "share": 1})

    with Deadline(30), pytest.raises(DatabaseResuming):
        failing.fetch_one("SELECT 1")

    assert len(failing.statements) == 2
    assert retries.seconds_left() == retries.STATEMENT_SECONDS


def test_statement_in_transaction_is_not_retried(failing: Recorded, plan: Plan) -> None:
    with failing.transaction() as transaction:
        plan({"fault": "ThrottlingException"})
        with pytest.raises(DatabaseThrottled):
            transaction.fetch_one("SELECT 1")
        assert transaction.fetch_one("SELECT 1 AS one") == {"one": 1}


@pytest.mark.parametrize("when", ["before", "after"])
def test_interrupted_purge_still_audits_erased_customers(
    api: Api, failing: Recorded, plan: Plan, customer: str, when: str
) -> None:
    api.delete(customer)
    failing.execute("UPDATE customers SET purge_at = '2020-01-01'")
    plan(*[{"fault": "wait", "seconds": 0.001}, {"fault": "drop", "when": when}])

    erased = erasure.purge(failing)

    assert erased == [UUID(customer.rpartition("/")[2])]


def test_failed_purge_raises(failing: Recorded, plan: Plan, api: Api) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    api.delete(path)
    failing.execute("UPDATE customers SET purge_at = '2020-01-01'")
    plan({"fault": "wait", "seconds": 0.001}, {"fault": "drop", "calls": 3})

    with pytest.raises(DatabaseUnavailable):
        erasure.purge(failing)


@pytest.mark.parametrize(
    ("error", "is_idempotent", "attempts"),
    [
        (DatabaseThrottled("x"), False, 3),
        (Deadlock("x"), False, 3),
        (LockTimeout("x"), False, 3),
        (DatabaseUnavailable("x"), False, 1),
        (DatabaseUnavailable("x"), True, 3),
        (StatementTimeout("x"), False, 1),
        (StatementTimeout("x"), True, 3),
        (DuplicateKey("x"), True, 1),
    ],
    ids=str,
)
def test_retry_decision_depends_on_error_and_statement(
    monkeypatch: pytest.MonkeyPatch, error: DatabaseError, *, is_idempotent: bool, attempts: int
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    tried = Attempts(is_idempotent=is_idempotent)

    with pytest.raises(type(error)):
        deque(map(tried.wait, [error] * 9))

    assert tried.number == attempts
    assert len(pauses) == attempts - 1


class Unavailable(Recorded):
    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        del parameters
        self.statements.append(sql)
        raise DatabaseUnavailable("x")


@pytest.mark.parametrize(("is_idempotent", "attempts"), [(False, 1), (True, 3)])
def test_write_whose_outcome_is_unknown_is_retried_only_if_it_is_idempotent(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, is_idempotent: bool, attempts: int
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    unavailable, sql = Unavailable(database), "UPDATE customers SET version = 2"
    written: dict[str, Value] = dict.fromkeys(("id", "updated_at", "fingerprint"))

    with pytest.raises(DatabaseUnavailable):
        run_write(unavailable, "customers", sql, written, is_idempotent=is_idempotent)

    assert unavailable.statements.count(sql) == attempts


@pytest.fixture
def longest_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda size: b"\xff" * size)


@pytest.mark.usefixtures("longest_pauses")
def test_deadline_counts_from_the_first_error(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: sum(now), sleep=now.append)
    monkeypatch.setattr(retries, "time", clock)
    attempts = Attempts(is_idempotent=True)

    with pytest.raises(DatabaseResuming):
        deque(map(attempts.wait, [DatabaseResuming("x")] * 99))

    assert 25 < sum(now) <= retries.STATEMENT_SECONDS


@pytest.mark.usefixtures("longest_pauses")
def test_backoff_doubles_up_to_two_seconds() -> None:
    pauses = [retries._pause(number) for number in range(1, 9)]

    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2])


def test_backoff_is_random_and_bounded() -> None:
    pauses = [retries._pause(12) for _ in range(1_000)]

    assert len(set(pauses)) > 990
    assert min(pauses) < 0.1
    assert 1.9 < max(pauses) <= retries.LONGEST_PAUSE_SECONDS


def test_first_error_with_unknown_outcome_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if a later attempt gets a response, the first attempt may have been applied."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    attempts = Attempts(is_idempotent=True)
    attempts.wait(DatabaseUnavailable("first"))
    attempts.wait(StatementTimeout("second"))

    with pytest.raises(DatabaseUnavailable, match="first"):
        attempts.wait(DuplicateKey("third"))


def test_error_of_unexecuted_attempt_is_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    attempts = Attempts(is_idempotent=True)
    attempts.wait(Deadlock("first"))

    assert attempts.unknown is None
    with pytest.raises(DuplicateKey, match="second"):
        attempts.wait(DuplicateKey("second"))
