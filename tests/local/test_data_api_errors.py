"""Errors: each comes out of botocore as its own class, with its status and its words."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from local.mariadb import MariaDB
from tests.local.data_api import (
    ARNS,
    DataApi,
    connect,
    parameter,
    serving,
    wait_until,
)

PATHS = ["Execute", "BatchExecute", "BeginTransaction", "CommitTransaction", "RollbackTransaction"]
# Enough for every operation to get past its required members.
CALL: dict[str, Any] = {**ARNS, "sql": "SELECT 1", "transactionId": "none"}


@pytest.fixture(scope="module")
def api(data_api: str) -> DataApi:
    return connect(data_api)


@pytest.fixture(scope="module")
def impatient(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataApi]:
    """Talk to a server whose statements may take half a second."""
    directory = tmp_path_factory.mktemp("impatient")
    with serving(mariadb.url, directory, "--statement-timeout", "0.5") as (url, _):
        yield connect(url)


def post(url: str, path: str, body: bytes) -> tuple[int, str, dict[str, Any]]:
    """Send a body as it is; returns status, error type and the JSON answer."""
    answer = requests.post(f"{url}/{path}", data=body, timeout=10)
    return answer.status_code, answer.headers.get("x-amzn-ErrorType", ""), answer.json()


@pytest.mark.parametrize(
    ("sql", "ending"),
    [
        ("INSERT INTO unique_ids VALUES (1), (1)", "Error code: 1062; SQLState: 23000"),
        ("SELEC 1", "Error code: 1064; SQLState: 42000"),
        ("SELECT * FROM nowhere", "Error code: 1146; SQLState: 42S02"),
        ("INSERT INTO unique_ids VALUES (NULL)", "Error code: 1048; SQLState: 23000"),
        ("INSERT INTO unique_ids VALUES (99999999999)", "Error code: 1264; SQLState: 22003"),
        ("INSERT INTO unique_ids VALUES (0)", "Error code: 4025; SQLState: 23000"),
    ],
)
def test_a_database_error_ends_with_its_numbers(api: DataApi, sql: str, ending: str) -> None:
    """The message is the server's, and ends with code and SQLState."""
    api.execute("CREATE TABLE IF NOT EXISTS unique_ids (id INT PRIMARY KEY, CHECK (id > 0))")
    with pytest.raises(api.errors.DatabaseErrorException) as caught:
        api.execute(sql)
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["message"].endswith(ending)


def test_an_unknown_database_is_a_database_error(api: DataApi) -> None:
    """MySQL's own error says that a database does not exist, or is not ours to see."""
    for database in ("customers_nowhere", "mysql"):
        with pytest.raises(api.errors.DatabaseErrorException, match="SQLState: 42000"):
            api.execute("SELECT 1", database=database)
        with pytest.raises(api.errors.DatabaseErrorException, match="SQLState: 42000"):
            api.begin(database=database)


def test_a_schema_is_refused(api: DataApi) -> None:
    """`schema` is a ValidationException, which AWS's model does not know."""
    with pytest.raises(api.errors.ClientError) as caught:
        api.execute("SELECT 1", schema="customers")
    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The schema parameter isn't supported",
    }


def test_sql_has_a_longest(api: DataApi) -> None:
    """65,536 characters are taken, one more is refused in AWS's words."""
    sql = "SELECT 'é" + "x" * (65_536 - len("SELECT 'é'")) + "'"
    assert len(sql) == 65_536
    api.execute(sql)
    with pytest.raises(api.errors.BadRequestException, match="longer than 65536"):
        api.execute(sql + " ")


def test_a_statement_over_its_time_is_killed(impatient: DataApi) -> None:
    """After its time the client has its answer, and the database no longer runs the statement."""
    with pytest.raises(impatient.errors.StatementTimeoutException) as caught:
        impatient.execute("SELECT SLEEP(30), 'too long'")
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["dbConnectionId"] > 0
    assert not impatient.sessions("info LIKE '%too long%'")
    assert impatient.value("SELECT 1") == {"longValue": 1}


def test_a_statement_over_its_time_leaves_nothing(impatient: DataApi) -> None:
    """A change that was killed is undone, and a transaction that ran it is aborted."""
    impatient.execute("CREATE OR REPLACE TABLE slow_ids (id INT PRIMARY KEY)")
    transaction = impatient.begin()
    impatient.execute("INSERT INTO slow_ids VALUES (1)", transactionId=transaction)
    with pytest.raises(impatient.errors.StatementTimeoutException):
        impatient.execute("INSERT INTO slow_ids SELECT 2 + SLEEP(9)", transactionId=transaction)
    with pytest.raises(impatient.errors.TransactionNotFoundException, match="aborted"):
        impatient.commit(transaction)
    assert impatient.value("SELECT COUNT(*) FROM slow_ids") == {"longValue": 0}


def test_a_statement_may_continue_after_its_time(impatient: DataApi) -> None:
    """With continueAfterTimeout the client has its answer, and the statement its effect."""
    impatient.execute("CREATE OR REPLACE TABLE late_ids (id INT PRIMARY KEY)")
    with pytest.raises(impatient.errors.StatementTimeoutException):
        impatient.execute("INSERT INTO late_ids SELECT 2 + SLEEP(1)", continueAfterTimeout=True)
    assert impatient.value("SELECT COUNT(*) FROM late_ids") == {"longValue": 0}
    wait_until(lambda: impatient.value("SELECT COUNT(*) FROM late_ids") == {"longValue": 1})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 10_000,
        b'{"resourceArn": NaN}',
        b'{"resourceArn": "\\ud800"}',
    ],
    ids=lambda body: repr(body[:22]),
)
def test_what_is_no_json_object_is_refused(api: DataApi, path: str, body: bytes) -> None:
    """A body that is not a JSON object is a BadRequestException, at every path."""
    status, error, answer = post(api.url, path, body)
    assert (status, error) == (400, "BadRequestException")
    assert answer["message"]


@pytest.mark.parametrize(
    ("path", "members"),
    [
        *((path, {"resourceArn": None}) for path in PATHS),
        *((path, {"secretArn": 5}) for path in PATHS),
        ("Execute", {"sql": None}),
        ("Execute", {"sql": ["SELECT 1"]}),
        ("Execute", {"sql": "SELECT '\ud800'", "transactionId": None}),
        ("Execute", {"database": "x" * 65}),
        ("Execute", {"transactionId": "x" * 193}),
        ("Execute", {"includeResultMetadata": "yes"}),
        ("Execute", {"continueAfterTimeout": 1}),
        ("Execute", {"formatRecordsAs": "XML"}),
        ("Execute", {"resultSetOptions": []}),
        ("Execute", {"resultSetOptions": {"longReturnType": "SHORT"}}),
        ("Execute", {"parameters": {}}),
        ("Execute", {"parameters": [1]}),
        ("Execute", {"parameters": [{"value": {"longValue": 1}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": 1}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"dateValue": "x"}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"longValue": 1, "isNull": True}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"longValue": "1"}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"longValue": True}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"longValue": 2**63}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"doubleValue": "1"}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"doubleValue": 10**400}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"booleanValue": 1}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"stringValue": 1}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"blobValue": "*"}}]}),
        ("Execute", {"parameters": [{"name": "a", "value": {"blobValue": "é"}}]}),
        ("Execute", {"parameters": [parameter("a", "MONEY", stringValue="1")]}),
        ("Execute", {"parameters": [parameter("a", "DECIMAL", longValue=1)]}),
        ("Execute", {"parameters": [{**parameter("a", stringValue="1"), "typeHint": []}]}),
        ("BatchExecute", {"parameterSets": [{}]}),
        ("BatchExecute", {"parameterSets": [[{}, 1]]}),
        ("CommitTransaction", {"transactionId": None}),
        ("RollbackTransaction", {"transactionId": {}}),
    ],
)
def test_members_are_checked(api: DataApi, path: str, members: dict[str, Any]) -> None:
    """A member that is missing, of a wrong type or too long is a BadRequestException."""
    body = {key: value for key, value in {**CALL, **members}.items() if value is not None}
    status, error, answer = post(api.url, path, json.dumps(body).encode())
    assert (status, error) == (400, "BadRequestException")
    assert answer["message"]


def test_unknown_members_are_ignored(api: DataApi) -> None:
    """A member that no operation has changes nothing, and null is as good as absent."""
    body = {**ARNS, "sql": "SELECT 1", "transactionId": None, "unknown": {"a": 1}}
    assert post(api.url, "Execute", json.dumps(body).encode())[0] == 200


def test_a_request_has_a_largest(api: DataApi) -> None:
    """4 MiB is the most that a request may have."""
    body = json.dumps({**CALL, "parameters": [parameter("a", stringValue="x" * 2**22)]})
    assert post(api.url, "Execute", body.encode())[:2] == (400, "BadRequestException")


def test_what_is_no_operation_is_not_found(api: DataApi) -> None:
    """Another path or method is answered as an unknown operation."""
    for method, path in (("POST", "ExecuteSql"), ("GET", "Execute"), ("PUT", "")):
        answer = requests.request(method, f"{api.url}/{path}", timeout=10)
        expected = (404, "UnknownOperationException")
        assert expected == (answer.status_code, answer.headers["x-amzn-ErrorType"])


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
_kinds = ["isNull", "booleanValue", "longValue", "doubleValue", "stringValue", "blobValue"]
_parameter = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("a") | _json,
        "value": st.dictionaries(st.sampled_from([*_kinds, "arrayValue"]), _json) | _json,
        "typeHint": st.sampled_from(["DATE", "TIME", "DECIMAL", "JSON", "UUID"]) | _json,
    },
)
_members = st.fixed_dictionaries(
    {},
    optional={
        "sql": st.just("SELECT :a") | _json,
        "parameters": st.lists(_parameter, max_size=2) | _json,
        "parameterSets": st.lists(st.lists(_parameter, max_size=2), max_size=2) | _json,
        "transactionId": _json,
        "database": _json,
        "resultSetOptions": _json,
    },
)


@settings(max_examples=100, deadline=None)
@given(path=st.sampled_from(PATHS), members=_members, arns=st.sampled_from([ARNS, {}]))
def test_garbage_gets_modelled_answers(
    data_api: str,
    path: str,
    members: dict[str, Any],
    arns: dict[str, str],
) -> None:
    """No request, however odd, is answered by anything but a result or a modelled error."""
    body = json.dumps({**arns, **members}).encode()
    status, error, answer = post(data_api, path, body)
    assert (status, error) == (200, "") or (status in (400, 404) and answer["message"])
    if "transactionId" in answer:
        connect(data_api).rollback(answer["transactionId"])
