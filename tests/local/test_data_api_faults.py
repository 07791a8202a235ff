"""Fault injection: each kind, as seen by boto3 and a bare socket, and which calls it hits."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from botocore.exceptions import ClientError, ConnectionClosedError

from local.data_api.faults import ANSWERS, OPERATIONS, OTHERS, Fault, errors
from local.database_server import DatabaseServer
from local.processes import PROJECT, Child
from tests.local.data_api import ARNS, DATABASE, DataApi, connect, parameter, serving, wait_until
from tests.local.support import eventually

Members = dict[str, Any]
INSERT = "INSERT INTO faulted (id) VALUES (:id)"
DEADLOCK = "Deadlock found when trying to get lock; Error code: 1213; SQLState: 40001"
# The errors in botocore's model of rds-data, with their HTTP statuses.
MODELLED = {
    "AccessDeniedException": 403,
    "BadRequestException": 400,
    "DatabaseErrorException": 400,
    "DatabaseNotFoundException": 404,
    "DatabaseResumingException": 400,
    "DatabaseUnavailableException": 504,
    "ForbiddenException": 403,
    "HttpEndpointNotEnabledException": 400,
    "InternalServerErrorException": 500,
    "InvalidResourceStateException": 400,
    "InvalidSecretException": 400,
    "NotFoundException": 404,
    "SecretsErrorException": 400,
    "ServiceUnavailableError": 503,
    "StatementTimeoutException": 400,
    "TransactionNotFoundException": 404,
    "UnsupportedResultException": 400,
}


@pytest.fixture(scope="module")
def served(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Child]]:
    with serving(database_server.url, tmp_path_factory.mktemp("faulty"), "--faults") as (
        url,
        server,
    ):
        yield url, server
        assert "Traceback" not in server.log.read_text()
        assert "ERROR" not in server.log.read_text()


@pytest.fixture
def api(served: tuple[str, Child]) -> Iterator[DataApi]:
    api = connect(served[0])
    api.execute("CREATE TABLE IF NOT EXISTS faulted (id INT PRIMARY KEY)")
    api.execute("DELETE FROM faulted")
    yield api
    requests.delete(f"{api.url}/_faults", timeout=60).raise_for_status()


def plan(api: DataApi, *faults: Members) -> None:
    requests.put(f"{api.url}/_faults", json=faults, timeout=60).raise_for_status()


def told(api: DataApi) -> list[Members]:
    return list(requests.get(f"{api.url}/_faults", timeout=60).json())


def insert(api: DataApi, number: int = 1, **data: Any) -> None:
    api.execute(INSERT, [parameter("id", longValue=number)], **data)


def rows(api: DataApi) -> list[int]:
    """Return the table's rows without faults; ends the plan."""
    requests.delete(f"{api.url}/_faults", timeout=60)
    records = api.execute("SELECT id FROM faulted ORDER BY id")["records"]
    return [field["longValue"] for (field,) in records]


def fails(api: DataApi) -> bool:
    try:
        api.execute("SELECT 1")
    except api.errors.DatabaseResumingException:
        return True
    return False


@contextmanager
def sending(api: DataApi, sql: str, database: str) -> Iterator[socket.socket]:
    """Send a call on a bare socket, which is closed at the end of the block."""
    body = json.dumps({**ARNS, "sql": sql, "database": database}).encode()
    head = f"POST /Execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    address = urlsplit(api.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as client:
        client.sendall(head.encode() + body)
        yield client


def raw(api: DataApi, sql: str = "SELECT 1") -> list[tuple[float, bytes]]:
    """Send a call on a bare socket. Returns the received bytes, and the duration in seconds."""
    received = []
    sent = time.monotonic()
    with sending(api, sql, "customers") as client:
        while data := client.recv(65_536):
            received.append((time.monotonic() - sent, data))
            if data.endswith(b"]}"):
                break
    return received


def test_every_modelled_error_can_be_injected(api: DataApi) -> None:
    """Each error of botocore's model arrives as its class, with the model's status."""
    model = api.client.meta.service_model
    assert set(MODELLED) == {shape.name for shape in model.error_shapes}
    for name, status in MODELLED.items():
        plan(api, {"fault": name})
        with pytest.raises(getattr(api.errors, name)) as caught:
            insert(api)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert rows(api) == []


def test_errors_outside_the_model_can_be_injected(api: DataApi) -> None:
    """Errors that AWS returns although they are not in the model keep their name and message."""
    names = set(errors()) - set(MODELLED)
    assert "ThrottlingException" in names
    for name in names:
        plan(api, {"fault": name, "message": "so it is"})
        with pytest.raises(api.errors.ClientError) as caught:
            api.execute("SELECT 1")
        assert caught.value.response["Error"] == {"Code": name, "Message": "so it is"}


@pytest.mark.parametrize("status", [400, 429])
def test_throttling_status_can_be_chosen(api: DataApi, status: int) -> None:
    """AWS throttles with 400, its gateways with 429."""
    plan(api, {"fault": "ThrottlingException", "status": status})
    with pytest.raises(api.errors.ClientError, match="Rate exceeded") as caught:
        api.execute("SELECT 1")
    response = caught.value.response
    assert response["Error"]["Code"] == "ThrottlingException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_fault_for_n_calls_hits_exactly_n(api: DataApi) -> None:
    """A fault for three calls hits exactly three of ten concurrent calls, and is counted."""
    plan(api, {"fault": "DatabaseResumingException", "calls": 3})
    seen: list[bool] = []
    threads = [threading.Thread(target=lambda: seen.append(fails(api))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(seen), len(seen)) == (3, 10)
    (fault,) = told(api)
    assert (fault["given"], fault["left"]) == (3, 0)


@pytest.mark.exhaustive
def test_share_is_reproducible_by_seed(api: DataApi) -> None:
    """A share hits about this part of the calls: the same ones for the same seed."""

    def hit(seed: int) -> list[bool]:
        plan(api, {"fault": "DatabaseResumingException", "share": 0.3, "seed": seed})
        return [fails(api) for _ in range(200)]

    first = hit(1)
    assert 40 <= sum(first) <= 80
    assert (told(api)[0]["given"], told(api)[0]["left"]) == (sum(first), None)
    assert first == hit(1)
    assert first != hit(2)


def test_fault_can_be_limited_to_one_operation(api: DataApi) -> None:
    """Calls of other operations are not hit and not counted."""
    calls: dict[str, Callable[[], Any]] = {
        "Execute": lambda: api.execute("SELECT 1"),
        "BatchExecute": lambda: api.batch("DELETE FROM faulted", [[]]),
        "BeginTransaction": api.begin,
        "CommitTransaction": lambda: api.commit("none"),
        "RollbackTransaction": lambda: api.rollback("none"),
    }
    for chosen in calls:
        plan(api, {"fault": "ServiceUnavailableError", "operation": chosen})
        for operation, call in sorted(calls.items(), key=lambda item: item[0] == chosen):
            expected = operation == chosen
            try:
                call()
            except api.errors.ServiceUnavailableError:
                assert expected, operation
            except api.errors.TransactionNotFoundException:
                assert not expected
            else:
                assert not expected
        assert told(api)[0]["left"] == 0


def test_first_matching_fault_is_injected(api: DataApi) -> None:
    """A plan is an ordered list. After a fault is used up, the next one applies."""
    plan(
        api,
        {"fault": "ServiceUnavailableError", "operation": "Execute"},
        {"fault": "DatabaseResumingException", "calls": 2},
    )
    with pytest.raises(api.errors.DatabaseResumingException):
        api.begin()
    with pytest.raises(api.errors.ServiceUnavailableError):
        api.execute("SELECT 1")
    assert [fails(api), fails(api)] == [True, False]


@pytest.mark.parametrize(
    ("when", "expected"), [({}, []), ({"when": "before"}, []), ({"when": "after"}, [1])]
)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("drop", "Connection was closed"),
        ("DatabaseUnavailableException", r"\(DatabaseUnavailableException\)"),
    ],
)
def test_fault_is_injected_before_or_after_execution(
    api: DataApi, fault: str, error: str, when: Members, expected: list[int]
) -> None:
    """The client gets the same error in both cases; only the database differs."""
    plan(api, {"fault": fault, **when})
    with pytest.raises((ConnectionClosedError, ClientError), match=error):
        insert(api)
    assert rows(api) == expected


def test_connection_dropped_after_commit_keeps_the_row(api: DataApi) -> None:
    """The commit was executed, but its response was lost: the row is stored."""
    transaction = api.begin()
    insert(api, transactionId=transaction)
    plan(api, {"fault": "drop", "when": "after", "operation": "CommitTransaction"})
    with pytest.raises(ConnectionClosedError):
        api.commit(transaction)
    with pytest.raises(api.errors.TransactionNotFoundException):
        api.commit(transaction)
    assert rows(api) == [1]


def test_connection_dropped_before_commit_can_be_retried(api: DataApi) -> None:
    """The commit was not executed, and may be retried."""
    transaction = api.begin()
    insert(api, transactionId=transaction)
    plan(api, {"fault": "drop", "operation": "CommitTransaction"})
    with pytest.raises(ConnectionClosedError):
        api.commit(transaction)
    assert rows(api) == []
    api.commit(transaction)
    assert rows(api) == [1]


def test_dropped_connection_sends_no_byte(api: DataApi) -> None:
    """A dropped connection ends without a byte, regardless of the response."""
    for sql in ("SELECT 1", "SELEC 1"):
        plan(api, {"fault": "drop"}, {"fault": "drop", "when": "after"})
        assert raw(api, sql) == []
        assert raw(api, sql) == []


def test_half_response_is_cut_off(api: DataApi) -> None:
    """The headers announce the full length, but the connection closes after half of the body."""
    plan(api, {"fault": "half", "calls": 3})
    assert api.execute("INSERT INTO faulted (id) VALUES (1)") == {}, "boto3 hides that it is half"
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        requests.post(f"{api.url}/Execute", json={**ARNS, "sql": "SELECT 1"}, timeout=60)
    head, _, body = b"".join(data for _, data in raw(api)).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(body) == length // 2
    assert body.startswith(b'{"numberOfRecordsUpdated"')
    assert rows(api) == [1]


def test_garbled_response_is_unreadable(api: DataApi) -> None:
    """By its headers the response is complete, but it is unreadable. The statement was executed."""
    plan(api, {"fault": "garbage", "calls": 2})
    with pytest.raises(UnicodeDecodeError):
        insert(api)
    answer = requests.post(f"{api.url}/Execute", json={**ARNS, "sql": "SELECT 1"}, timeout=60)
    assert (answer.status_code, len(answer.content)) == (200, 58)
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode()
    assert rows(api) == [1]


def test_dripping_response_is_complete(api: DataApi) -> None:
    """The body arrives in pieces over the given time, and is complete in the end."""
    plan(api, {"fault": "drip", "seconds": 0.6, "calls": 999})
    started = time.monotonic()
    assert api.value("SELECT 1") == {"longValue": 1}
    assert time.monotonic() - started >= 0.6

    def in_pieces() -> list[tuple[float, bytes]]:
        received = raw(api)  # a busy machine may receive several pieces at once
        return received if len(received) > 10 else []

    received = eventually(in_pieces)
    assert received[-1][0] >= 0.6
    assert b"".join(data for _, data in received).endswith(b'"records":[[{"longValue":1}]]}')


def test_waiting_fault_delays_the_response(api: DataApi) -> None:
    """The delay is before or after the statement, whose time is in the row."""
    api.create("timed (at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6))")
    for when, is_delayed in (
        ("before", "MAX(at) >= TIMESTAMP(:since) + INTERVAL 0.5 SECOND"),
        ("after", "NOW(6) >= MAX(at) + INTERVAL 0.5 SECOND AND :since"),
    ):
        since = parameter("since", **api.value("SELECT NOW(6)"))
        plan(api, {"fault": "wait", "seconds": 0.5, "when": when})
        api.execute("INSERT INTO timed VALUES ()")
        assert api.value(f"SELECT {is_delayed} FROM timed", [since]) == {"longValue": 1}, when


def test_error_can_be_delayed(api: DataApi) -> None:
    """`seconds` can be combined with any fault."""
    plan(api, {"fault": "DatabaseResumingException", "seconds": 0.4})
    started = time.monotonic()
    assert fails(api)
    assert time.monotonic() - started >= 0.4


def test_statement_of_a_client_that_disconnected_is_executed(api: DataApi) -> None:
    """A statement is executed even if its client no longer waits."""
    plan(api, {"fault": "wait", "seconds": 0.6})
    with sending(api, "INSERT INTO faulted (id) VALUES (1)", DATABASE):
        wait_until(lambda: told(api)[0]["given"] == 1)
    wait_until(lambda: rows(api) == [1])


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ({"fault": "expire"}, "may be expired"),
        ({"fault": "expire", "when": "after"}, "may be expired"),
        ({"fault": "StatementTimeoutException"}, "aborted due to an error"),
        ({"fault": "DatabaseUnavailableException"}, "aborted due to an error"),
        ({"fault": "DatabaseErrorException", "message": DEADLOCK}, "aborted due to an error"),
    ],
)
def test_injected_aborting_error_rolls_back_the_transaction(
    api: DataApi, fault: Members, cause: str
) -> None:
    """An error that would abort a transaction rolls it back and releases its locks."""
    insert(api, 2)
    transaction = api.begin()
    insert(api, 1, transactionId=transaction)
    plan(api, {**fault, "operation": "Execute"})
    refused = pytest.raises(api.errors.ClientError)
    with nullcontext() if fault.get("when") == "after" else refused:
        api.execute("UPDATE faulted SET id = 3 WHERE id = 2", transactionId=transaction)
    with pytest.raises(api.errors.TransactionNotFoundException, match=cause):
        api.commit(transaction)
    api.execute("DELETE FROM faulted WHERE id = 1")
    assert rows(api) == [2]


def test_expire_hits_only_transactions(api: DataApi) -> None:
    """Calls outside of transactions are not hit and not counted."""
    plan(api, {"fault": "expire"})
    insert(api)
    assert told(api)[0]["left"] == 1


def test_other_injected_errors_leave_the_transaction_open(api: DataApi) -> None:
    """A throttled or cancelled call may be retried in its transaction."""
    transaction = api.begin()
    for name in ("ThrottlingException", "DatabaseResumingException", "DatabaseErrorException"):
        plan(api, {"fault": name})
        with pytest.raises(api.errors.ClientError):
            insert(api, transactionId=transaction)
    insert(api, transactionId=transaction)
    api.commit(transaction)
    assert rows(api) == [1]


def test_malformed_call_is_hit_by_faults(api: DataApi) -> None:
    """A malformed body is counted, too; afterwards it is rejected as usual."""
    plan(api, {"fault": "expire"}, {"fault": "wait", "seconds": 0.01, "calls": 4})
    for body in (b"", b"[1]", b"\xff", b'{"transactionId": 5}'):
        answer = requests.post(f"{api.url}/Execute", data=body, timeout=60)
        assert answer.headers["x-amzn-ErrorType"] == "BadRequestException"
    assert [fault["left"] for fault in told(api)] == [1, 0]


def test_dropped_calls_leak_no_connection(api: DataApi) -> None:
    """A hundred dropped connections leak no database connection."""
    connected = api.sessions("user = 'customers'")
    plan(api, {"fault": "drop", "calls": 25}, {"fault": "half", "calls": 25})
    for _ in range(50):
        with pytest.raises(requests.RequestException):
            requests.post(f"{api.url}/Execute", json={**ARNS, "sql": "SELECT 1"}, timeout=60)
    assert len(api.sessions("user = 'customers'")) <= len(connected) + 1
    assert [fault["given"] for fault in told(api)] == [25, 25]


@pytest.mark.parametrize("kind", ["wait", "drip"])
@pytest.mark.exhaustive
def test_shutdown_waits_for_no_fault(
    database_server: DatabaseServer, tmp_path: Path, kind: str
) -> None:
    """SIGTERM interrupts a waiting call without a traceback."""
    with serving(database_server.url, tmp_path, "--faults") as (url, server):
        api = DataApi(url)
        plan(api, {"fault": kind, "seconds": 30})
        ended: list[bytes] = []
        waiter = threading.Thread(
            target=lambda: ended.append(b"".join(data for _, data in raw(api)))
        )
        waiter.start()
        wait_until(lambda: told(api)[0]["given"] == 1)
        server.stop()
        assert server.exit_code == -signal.SIGTERM
        waiter.join()
        assert len(ended[0].partition(b"\r\n\r\n")[2]) < 10
        assert b"Internal" not in ended[0]
        assert "Traceback" not in server.log.read_text()


BROKEN = [
    ("{", "invalid JSON: "),
    ("{}", "plan: Invalid input type."),
    ("[1]", "0: Invalid input type."),
    ("[{}]", "0.fault: Missing data for required field."),
    ('[{"fault": "DatabaseAsleepException"}]', "0.fault: Must be one of: wait, drop, "),
    ('[{"fault": "drop"}, {"fault": "drop", "calls": 0}]', "1.calls: Must be greater than"),
    ('[{"fault": "drop", "calls": 1.5}]', "0.calls: Not a valid integer."),
    ('[{"fault": "drop", "share": 1.1}]', "0.share: Must be greater than 0 and less than"),
    ('[{"fault": "drop", "share": 0}]', "0.share: Must be greater than 0 and less than"),
    ('[{"fault": "drop", "operation": "Commit"}]', "0.operation: Must be one of: Execute, "),
    ('[{"fault": "drop", "when": "during"}]', "0.when: Must be one of: before, after."),
    ('[{"fault": "drop", "seconds": -1}]', "0.seconds: Must be greater than or equal to 0."),
    ('[{"fault": "drop", "seconds": NaN}]', "0.seconds: "),
    ('[{"fault": "drop", "times": 3}]', "0.times: Unknown field."),
    ('[{"fault": "drop", "calls": 1, "share": 1}]', "0: Set either calls or share, not both."),
    ('[{"fault": "drop", "seed": 1}]', "0: A seed requires a share."),
    ('[{"fault": "half", "when": "before"}]', "0: A half damages a response, so it must be after."),
    ('[{"fault": "wait"}]', "0: A wait requires seconds."),
    ('[{"fault": "drop", "status": 503}]', "0: Only an error may have a status or a message."),
    ('[{"fault": "BadRequestException", "status": 200}]', "0.status: Must be greater than"),
]


@pytest.mark.parametrize(("text", "reason"), BROKEN, ids=[text for text, _ in BROKEN])
def test_invalid_plan_is_rejected(api: DataApi, text: str, reason: str) -> None:
    """The message says what is wrong and where, and the previous plan stays."""
    plan(api, {"fault": "DatabaseResumingException"})
    answer = requests.put(f"{api.url}/_faults", data=text, timeout=60)
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (400, "BadRequestException")
    assert answer.json()["message"].startswith(reason)
    assert fails(api)


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.data_api", "--port", "0", *arguments],
        env={**os.environ, "DATABASE_URL": "mysql://user:hidden@127.0.0.1:1/customers"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file or directory"),
        ("{", "invalid JSON: "),
        ('[{"fault": "drop", "calls": 0}]', "0.calls: Must be greater than or equal to 1."),
        ('[{"fault": "drop", "calls": 0, "when": "x"}, 1]', "; 1: Invalid input type."),
    ],
)
def test_invalid_plan_file_is_reported_in_one_line(
    tmp_path: Path, text: str | None, reason: str
) -> None:
    """An invalid plan ends the program with one line, which names the file."""
    file = tmp_path / "faults.json"
    if text is not None:
        file.write_text(text)
    ended = start("--faults", str(file))
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith(f"data-api: {file}: ")
    assert reason in ended.stderr


def test_plan_file_applies_from_the_start(database_server: DatabaseServer, tmp_path: Path) -> None:
    """The plan in the file hits the first calls, and can be read and emptied like any other."""
    file = tmp_path / "faults.json"
    file.write_text('[{"fault": "DatabaseResumingException", "calls": 2}]')
    with serving(database_server.url, tmp_path, "--faults", str(file)) as (url, _):
        api = DataApi(url)
        assert fails(api)
        assert told(api) == [
            {"fault": "DatabaseResumingException", "calls": 2, "seconds": 0, "given": 1, "left": 1}
        ]
        answer = requests.delete(f"{url}/_faults", timeout=60)
        assert (answer.status_code, answer.json()) == (200, [])
        assert not fails(api)


def test_server_without_faults_has_no_endpoint(data_api: str) -> None:
    """A server without `--faults` has no endpoint to inject faults."""
    for method in ("GET", "PUT", "DELETE"):
        answer = requests.request(method, f"{data_api}/_faults", timeout=60)
        assert answer.headers["x-amzn-ErrorType"] == "UnknownOperationException"


def test_page_documents_every_fault_and_field() -> None:
    """docs/data-api-server.md documents every kind of fault and every field."""
    page = (PROJECT / "docs" / "data-api-server.md").read_text()
    for name in [*OTHERS, *ANSWERS, *OPERATIONS, *Fault().fields]:
        assert f"`{name}`" in page, name
