"""Result sets: their formats and size limits."""

import gc
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from local.data_api import results, statements
from local.data_api.address import Address
from local.data_api.connections import Connection
from local.data_api.errors import UnsupportedResultException
from local.database_server import DatabaseServer
from tests.local.data_api import DataApi, connect, numbers, parameter, serving

ROW = 64 * 1024
RESPONSE = 1024 * 1024
JSON = 10 * 1024 * 1024
NUMBERS: dict[str, Any] = {"resultSetOptions": {"decimalReturnType": "DOUBLE_OR_LONG"}}
STRINGS: dict[str, Any] = {"resultSetOptions": {"longReturnType": "STRING"}}
BIG = "18446744073709551615"


@pytest.fixture(scope="module")
def api(data_api: str) -> DataApi:
    return connect(data_api)


@pytest.fixture(scope="module")
def strict(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DataApi]:
    """Run a server that limits rows to 64 KB."""
    with serving(database_server.url, tmp_path_factory.mktemp("strict"), "--limit-rows") as (
        url,
        _,
    ):
        yield connect(url)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [("longValue", 7), ("stringValue", "3"), ("stringValue", "2.50")]),
        (NUMBERS, [("longValue", 7), ("longValue", 3), ("doubleValue", 2.5)]),
        (STRINGS, [("stringValue", "7"), ("stringValue", "3"), ("stringValue", "2.50")]),
    ],
)
def test_numbers_follow_the_result_options(
    api: DataApi, options: dict[str, Any], expected: list[tuple[str, Any]]
) -> None:
    """Integers and decimals are returned according to the options, each in its own Field."""
    sql = "SELECT 7, CAST(3 AS DECIMAL(5)), CAST(2.5 AS DECIMAL(5, 2)), NULL"
    *fields, null = api.row(sql, **options)
    assert [dict([item]) for item in expected] == fields
    assert null == {"isNull": True}


@pytest.mark.parametrize("type_", ["TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT"])
def test_long_return_type_applies_to_every_integer(api: DataApi, type_: str) -> None:
    """The option longReturnType applies to every integer type, but not to booleans."""
    api.create(f"longs (i {type_}, z {type_}(5) ZEROFILL, b BOOL)")
    api.execute("INSERT INTO longs VALUES (-5, 5, 1)")
    fields = api.row("SELECT * FROM longs", **STRINGS)
    assert fields == [{"stringValue": "-5"}, {"stringValue": "5"}, {"booleanValue": True}]


def test_decimal_of_more_than_64_bits_is_a_double(api: DataApi) -> None:
    """DOUBLE_OR_LONG returns a doubleValue for an integer that does not fit a long."""
    sql = f"SELECT CAST({2**63 - 1} AS DECIMAL(30)), CAST({2**63} AS DECIMAL(30))"
    fields = api.row(sql, **NUMBERS)
    assert fields == [{"longValue": 2**63 - 1}, {"doubleValue": 2.0**63}]


def test_json_result_is_one_string(api: DataApi) -> None:
    """JSON returns a string instead of records and metadata."""
    response = api.execute(
        "SELECT 1 AS id, 'Jane' AS name UNION SELECT 2, NULL",
        formatRecordsAs="JSON",
        includeResultMetadata=True,
    )
    formatted = '[{"id":1,"name":"Jane"},{"id":2,"name":null}]'
    assert response == {"numberOfRecordsUpdated": 0, "formattedRecords": formatted}


def test_json_of_empty_result_is_an_empty_list(api: DataApi) -> None:
    """A result set without rows is `[]`."""
    response = api.execute("SELECT 1 FROM DUAL WHERE FALSE", formatRecordsAs="JSON")
    assert response["formattedRecords"] == "[]"


def test_json_type_of_every_column_type(api: DataApi) -> None:
    """Each type has the JSON type in AWS's table."""
    api.create(
        "kinds (a BIGINT, u BIGINT UNSIGNED, b BOOL, c BIT(1), d DOUBLE,"
        " e DECIMAL(5,2), f TEXT, g BLOB, h DATETIME(3), i JSON, j INT)"
    )
    api.execute(
        f"INSERT INTO kinds VALUES (-9223372036854775808, {BIG}, TRUE, b'0', 10, 2.5, :f, :g,"
        " '2024-02-29 01:02:03.004', '[1]', NULL)",
        [parameter("f", stringValue='邓 "\\\n\b'), parameter("g", blobValue=b"hello world")],
    )
    response = api.execute("SELECT * FROM kinds", formatRecordsAs="JSON")
    values = [
        *[-(2**63), BIG, True, False, 10.0, "2.50", '邓 "\\\n\b', "aGVsbG8gd29ybGQ="],
        *["2024-02-29 01:02:03.004", "[1]", None],
    ]
    expected = dict(zip("aubcdefghij", values, strict=True))
    assert json.loads(response["formattedRecords"]) == [expected]
    assert '"d":10.0' in response["formattedRecords"]
    assert "邓" in response["formattedRecords"]


def test_json_follows_the_result_options(api: DataApi) -> None:
    """The options of a result set also apply to JSON."""
    sql = "SELECT 1 AS a, CAST(2 AS DECIMAL(5)) AS b"
    for options, formatted in ((NUMBERS, '[{"a":1,"b":2}]'), (STRINGS, '[{"a":"1","b":"2"}]')):
        response = api.execute(sql, formatRecordsAs="JSON", **options)
        assert response["formattedRecords"] == formatted


def test_json_with_duplicate_labels_is_rejected(api: DataApi) -> None:
    """Two columns with the same name are an error, which leaves the transaction open."""
    transaction = api.begin()
    with pytest.raises(api.errors.BadRequestException, match="more than one column named a"):
        api.execute("SELECT 1 AS a, 2 AS a", formatRecordsAs="JSON", transactionId=transaction)
    assert api.row("SELECT 1 AS a, 2 AS a", transactionId=transaction)
    api.rollback(transaction)


def test_json_without_result_set_is_ignored(api: DataApi) -> None:
    """JSON is ignored without a result set."""
    api.create("formatted (id INT)")
    response = api.execute("INSERT INTO formatted VALUES (1)", formatRecordsAs="JSON")
    assert response == {"generatedFields": [], "numberOfRecordsUpdated": 1}


def test_too_large_json_is_rejected(api: DataApi) -> None:
    """10 MB of JSON are returned; more is a BadRequestException."""
    labels = [f"label_{number:058}" for number in range(64)]
    columns = ", ".join(f"NULL AS {label}" for label in labels)
    # A row, with the comma or the bracket after it.
    size = len(json.dumps({"rest": "", **dict.fromkeys(labels)}, separators=(",", ":"))) + 1
    rows, rest = divmod(JSON - 1, size)
    sql = f"SELECT IF(seq = 1, REPEAT('x', :n), '') AS rest, {columns} FROM {numbers(rows)}"
    response = api.execute(sql, [parameter("n", longValue=rest)], formatRecordsAs="JSON")
    assert len(response["formattedRecords"]) == JSON
    with pytest.raises(api.errors.BadRequestException, match="larger than 10 MB"):
        api.execute(sql, [parameter("n", longValue=rest + 1)], formatRecordsAs="JSON")


@pytest.mark.parametrize(("text", "size"), [("x", 1), ("é", 2), ("𐐷", 4)])
def test_too_large_response_is_rejected(api: DataApi, text: str, size: int) -> None:
    """1 MiB from the database is returned; more is an error."""
    times = RESPONSE // size
    sql = "SELECT REPEAT(:text, :times)"
    text_and = [parameter("text", stringValue=text)]
    value = api.value(sql, [*text_and, parameter("times", longValue=times)])
    assert len(value["stringValue"]) == times
    with pytest.raises(api.errors.UnsupportedResultException, match="response size limit"):
        api.execute(sql, [*text_and, parameter("times", longValue=times + 1)])


@pytest.mark.exhaustive
@pytest.mark.parametrize("value", ["NULL", "''", "1"])
def test_small_values_count_with_their_overhead(strict: DataApi, value: str) -> None:
    """The database's overhead counts for each value, even for NULL."""
    with pytest.raises(strict.errors.UnsupportedResultException):
        strict.execute(f"SELECT {value} FROM {numbers(300_000)}")


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT REPEAT('a', 600000), SLEEP(0.6) FROM {numbers(100)}",
        f"SELECT POINT(1, 1), REPEAT('a', 100000), SLEEP(0.6) FROM {numbers(100)}",
    ],
)
def test_rejected_result_is_not_read_to_its_end(api: DataApi, sql: str) -> None:
    """The call ends at once: reading on would take a minute and time out."""
    with pytest.raises(api.errors.UnsupportedResultException):
        api.execute(sql)
    assert api.value("SELECT 1") == {"longValue": 1}


def test_rejected_result_is_not_read_on_deletion(
    database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyMySQL reads a deleted result to its end, even from a lost connection."""
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    connection = Connection(Address.parse(database_server.url), "customers")
    with pytest.raises(UnsupportedResultException):
        statements.execute(connection, "SELECT POINT(1, 1)", {}, results.Shape())
    connection.discard()
    del connection
    gc.collect()
    assert unraisable == []


@pytest.mark.parametrize(
    ("server", "type_name"), [("5.5.5-10.11.14-MariaDB", "JSON"), ("8.0.40", "LONGTEXT")]
)
def test_text_with_a_binary_collation_is_json_only_on_mariadb(
    database_server: DatabaseServer, server: str, type_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL has a type for JSON, so there a text is a text."""
    connection = Connection(Address.parse(database_server.url), "customers")
    connection.query("CREATE TEMPORARY TABLE texts (a LONGTEXT COLLATE utf8mb4_bin)")
    monkeypatch.setattr(connection, "server_version", server)
    shape = results.Shape(metadata=True)
    response = statements.execute(connection, "SELECT a FROM texts", {}, shape)
    assert [column["typeName"] for column in response["columnMetadata"]] == [type_name]
    connection.discard()


def test_response_limit_covers_all_rows(api: DataApi) -> None:
    """The limit of a response applies to all its rows and columns."""
    sql = "SELECT REPEAT('x', 512), X'00', NULL FROM {}"
    most = 1 + (RESPONSE - 513) // (513 + 3 + 4)
    assert len(api.execute(sql.format(numbers(most)))["records"]) == most
    with pytest.raises(api.errors.UnsupportedResultException):
        api.execute(sql.format(numbers(most + 1)))


def test_too_large_row_is_rejected_with_limit_rows(strict: DataApi) -> None:
    """With --limit-rows, a row of 64 KB is returned, and a larger one is an error."""
    sql = f"SELECT 1, REPEAT('x', {ROW - 1}) UNION ALL SELECT 1, REPEAT('x', :n)"
    assert len(strict.execute(sql, [parameter("n", longValue=ROW - 1)])["records"]) == 2
    with pytest.raises(strict.errors.UnsupportedResultException, match="Packet for query is too"):
        strict.execute(sql, [parameter("n", longValue=ROW)])


def test_large_row_is_returned_by_default(api: DataApi) -> None:
    """Without --limit-rows, one row may fill the response, as observed with AWS."""
    assert len(api.value(f"SELECT REPEAT('x', {ROW * 8})")["stringValue"]) == ROW * 8
