"""Request bodies: format and size limits. Anything else gets a modelled error."""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local.data_api import ARNS, DataApi, connect, parameter

PATHS = ["Execute", "BatchExecute", "BeginTransaction", "CommitTransaction", "RollbackTransaction"]
# Enough for every operation to pass the check of required fields.
CALL: dict[str, Any] = {**ARNS, "sql": "SELECT 1", "transactionId": "none"}


@pytest.fixture(scope="module")
def api(data_api: str) -> DataApi:
    return connect(data_api)


def post(url: str, path: str, body: bytes) -> tuple[int, str, dict[str, Any]]:
    """Send a raw body. Returns status, error type and the JSON response."""
    answer = requests.post(f"{url}/{path}", data=body, timeout=60)
    return answer.status_code, answer.headers.get("x-amzn-ErrorType", ""), answer.json()


def test_too_long_sql_is_rejected(api: DataApi) -> None:
    """65,536 characters are accepted; one more is rejected with AWS's message."""
    sql = "SELECT 'é" + "x" * (65_536 - len("SELECT 'é'")) + "'"
    assert len(sql) == 65_536
    api.execute(sql)
    with pytest.raises(api.errors.BadRequestException, match="longer than 65536"):
        api.execute(sql + " ")


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
def test_body_that_is_not_a_json_object_is_rejected(api: DataApi, path: str, body: bytes) -> None:
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
        ("Execute", {"resourceArn": "arn:aws:rd"}),
        ("Execute", {"resourceArn": "x" * 571}),
        ("Execute", {"secretArn": "x" * 571}),
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
        ("Execute", {"parameters": [{"name": "a", "value": {"longValue": -(2**63) - 1}}]}),
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
def test_invalid_fields_are_rejected(api: DataApi, path: str, members: dict[str, Any]) -> None:
    """A missing field, or one of a wrong type or length, is a BadRequestException."""
    body = {key: value for key, value in {**CALL, **members}.items() if value is not None}
    status, error, answer = post(api.url, path, json.dumps(body).encode())
    assert (status, error) == (400, "BadRequestException")
    assert answer["message"]


@pytest.mark.parametrize(
    ("path", "members", "error"),
    [
        ("Execute", {"resourceArn": "a" * 11, "secretArn": "a" * 11}, None),
        ("Execute", {"resourceArn": "é" * 570, "secretArn": "a" * 570}, None),
        ("Execute", {"database": "é" * 64}, "DatabaseErrorException"),
        ("Execute", {"transactionId": "x" * 192}, "TransactionNotFoundException"),
        ("CommitTransaction", {"transactionId": ""}, "TransactionNotFoundException"),
    ],
)
def test_lengths_at_their_limits_are_accepted(
    api: DataApi, path: str, members: dict[str, Any], error: str | None
) -> None:
    """The shortest and the longest values in AWS's model are accepted."""
    call = {**ARNS, "sql": "SELECT 1", **members}
    answer = requests.post(f"{api.url}/{path}", json=call, timeout=60)
    assert answer.headers.get("x-amzn-ErrorType") == error


def test_unknown_fields_are_ignored(api: DataApi) -> None:
    """Unknown fields are ignored, and null equals absent."""
    body = {**ARNS, "sql": "SELECT 1", "transactionId": None, "unknown": {"a": 1}}
    assert post(api.url, "Execute", json.dumps(body).encode())[0] == 200


def test_too_large_request_is_rejected(api: DataApi) -> None:
    """A request, including headers, may have at most 4 MiB."""
    headers = {"host": urlsplit(api.url).netloc, "content-length": "4190000"}
    size = sum(len(name) + len(value) for name, value in headers.items())
    call = json.dumps({**ARNS, "sql": "SELECT 1", "unknown": ""}).encode()
    for room, expected in ((0, 200), (1, 400)):
        body = call[:-2] + b"x" * (2**22 - size - len(call) + room) + call[-2:]
        connection = HTTPConnection(headers["host"], timeout=60)
        connection.putrequest("POST", "/Execute", skip_accept_encoding=True)
        connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        assert (answer.status, b"4 MiB" in answer.read()) == (expected, expected == 400)
        connection.close()


def test_unknown_operation_returns_404(api: DataApi) -> None:
    """Another path or method returns an unknown operation error."""
    for method, path in (("POST", "ExecuteSql"), ("GET", "Execute"), ("PUT", "")):
        answer = requests.request(method, f"{api.url}/{path}", timeout=60)
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


@settings(max_examples=100)
@given(path=st.sampled_from(PATHS), members=_members, arns=st.sampled_from([ARNS, {}]))
def test_arbitrary_request_gets_a_modelled_response(
    data_api: str,
    path: str,
    members: dict[str, Any],
    arns: dict[str, str],
) -> None:
    """Any request gets a result or a modelled error."""
    body = json.dumps({**arns, **members}).encode()
    status, error, answer = post(data_api, path, body)
    assert (status, error) == (200, "") or (status in (400, 404) and answer["message"])
    if "transactionId" in answer:
        connect(data_api).rollback(answer["transactionId"])
