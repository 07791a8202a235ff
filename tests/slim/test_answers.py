"""The slim client parses responses exactly as botocore does."""

import json
from base64 import b64encode
from typing import Any
from unittest.mock import Mock, patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.connections import Answer
from chalicelib.database import DatabaseUnavailable
from chalicelib.database.clients import ErrorAnswer
from chalicelib.database.data_api import DataApi
from chalicelib.database.slim import Client, endpoints
from chalicelib.database.slim.credentials import Key
from tests.slim.botocore_client import KEY, botocore_client
from tests.slim.requests import TEXT

FIELDS = st.one_of(
    st.just({"isNull": True}),
    st.booleans().map(lambda value: {"booleanValue": value}),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: {"longValue": value, "blobValue": None}),
    st.floats(allow_nan=False).map(lambda value: {"doubleValue": value}),
    st.integers(-9, 9).map(lambda value: {"doubleValue": value}),
    TEXT.map(lambda value: {"stringValue": value}),
    st.sampled_from(['"blobValue"', "null", '"doubleValue":']).map(lambda v: {"stringValue": v}),
    st.binary(max_size=40).map(lambda value: {"blobValue": b64encode(value).decode()}),
)
COLUMN = {
    **dict.fromkeys(("label", "name", "tableName", "schemaName", "typeName"), st.none() | TEXT),
    **dict.fromkeys(
        ("type", "nullable", "precision", "scale", "arrayBaseColumnType"), st.integers()
    ),
    **dict.fromkeys(
        ("isSigned", "isCurrency", "isAutoIncrement", "isCaseSensitive"), st.booleans()
    ),
}
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "records": st.lists(st.lists(FIELDS, max_size=4), max_size=4),
        "columnMetadata": st.lists(st.fixed_dictionaries(COLUMN), max_size=2),
        "numberOfRecordsUpdated": st.none() | st.integers(0),
        "generatedFields": st.lists(
            st.integers(0).map(lambda value: {"longValue": value}), max_size=3
        ),
        "formattedRecords": TEXT,
    },
)
NAMES = st.sampled_from(
    ["DatabaseErrorException", "aws.rds#NotFound", "Throttling:http://x/y", "a.b#C:d", ""]
)
METADATA = ("HTTPStatusCode", "HTTPHeaders")
ERRORS = st.fixed_dictionaries(
    {}, optional={"message": TEXT, "Message": TEXT, "code": NAMES, "__type": NAMES}
)


def answered(status: int, headers: dict[str, str], body: bytes) -> Any:
    """Return the response as the slim client parses it."""
    key = Key(*KEY)
    client = Client(endpoints.choose({}, "eu-west-1", None), "eu-west-1", lambda: key)
    with patch.object(client._connections, "send", return_value=Answer(status, headers, body)):
        return client.execute_statement(sql="SELECT 1")


@pytest.mark.exhaustive
@settings(max_examples=200)
@given(MEMBERS, st.booleans())
def test_response_is_parsed_as_by_botocore(members: Any, escaped: bool) -> None:  # noqa: FBT001
    assert_parsed_as_by_botocore(json.dumps(members, ensure_ascii=escaped))


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize(
    "field", [{"doubleValue": 7}, {"blobValue": "AA=="}, {"longValue": 7, "blobValue": None}]
)
def test_field_is_parsed_as_by_botocore(field: dict[str, Any], separators: tuple[str, str]) -> None:
    assert_parsed_as_by_botocore(json.dumps({"records": [[field]]}, separators=separators))


def assert_parsed_as_by_botocore(body: str) -> None:
    headers = {"content-type": "application/json", "x-amzn-requestid": "7"}

    ours, theirs = (
        answer(200, headers, body.encode()) for answer in (answered, botocore_client().answer)
    )

    kept = {name: theirs["ResponseMetadata"][name] for name in METADATA}
    assert ours == {**theirs, "ResponseMetadata": kept}
    assert repr(ours.get("records")) == repr(theirs.get("records"))  # 1.0 is not 1


@settings(max_examples=100)
@given(
    st.sampled_from([400, 403, 404, 429, 500, 503, 504]),
    st.none() | NAMES.filter(bool),
    ERRORS.map(json.dumps) | st.sampled_from(["", "<html>", "{garbage"]),
)
def test_error_is_parsed_as_by_botocore(status: int, name: str | None, body: str) -> None:
    headers = {"x-amzn-requestid": "7", **({"x-amzn-errortype": name} if name else {})}
    found = []
    for answer in (answered, botocore_client().answer):
        with pytest.raises(ErrorAnswer) as caught:
            answer(status, headers, body.encode())
        found.append(caught.value.response)

    ours, theirs = (dict(item["Error"]) for item in found)
    if body.startswith("{"):  # otherwise botocore ignores the header
        assert ours["Code"] == theirs["Code"]
    if body.startswith('{"'):  # for other JSON, botocore creates a message
        assert ours["Message"] == theirs["Message"]
    ours, theirs = ({name: item["ResponseMetadata"][name] for name in METADATA} for item in found)
    assert ours == theirs


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"{garbage}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"records":[[{"blobValue":"a"}]]}',
        b'{"records":[[{"blobValue":7}]]}',
    ],
)
def test_malformed_response_raises_database_unavailable(body: bytes) -> None:
    with pytest.raises(DatabaseUnavailable, match="can't be read") as caught:
        answered(200, {}, body)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("record", [[], [{"isNull": True}, {"isNull": True}]])
def test_record_without_a_value_for_each_column_raises_database_unavailable(
    record: list[dict[str, Any]],
) -> None:
    answer = {
        "columnMetadata": [{"label": "id", "type": 4}],
        "records": [[{"longValue": 1}], record],
        "numberOfRecordsUpdated": 0,
    }
    client = Mock(execute_statement=Mock(return_value=answer))

    with pytest.raises(DatabaseUnavailable, match="can't be read"):
        DataApi(client, {}, {"database": "customers"}).execute("SELECT id FROM customers")
